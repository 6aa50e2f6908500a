for (const map of document.querySelectorAll("[data-map]")) {
  const svg = map.querySelector("svg");
  const plot = map.querySelector(".plot");
  const tip = map.querySelector(".tip");
  const status = map.querySelector(".status");
  const audio = map.querySelector("audio");
  const marks = [...map.querySelectorAll(".mark")];
  const places = marks.map((mark) => {
    const { e, f } = mark.transform.baseVal[0].matrix;
    return [e, f];
  });
  let current = -1;

  function line(text, name) {
    const element = document.createElement("div");
    element.className = name;
    element.textContent = text;
    return element;
  }

  function show(index) {
    if (current >= 0) marks[current].classList.remove("current");
    current = index;
    tip.hidden = index < 0;
    if (index < 0) return;
    const clip = payload.clips[marks[index].dataset.clip];
    const labels = clip.labels.join(", ") || "no labels";
    const hint = clip.sound ? "click to listen" : "audio left out";
    marks[index].classList.add("current");
    svg.append(marks[index]);
    tip.replaceChildren(line(labels, "tip-labels"),
      line(clip.id, "tip-id"), line(hint, "muted"));
    status.textContent = `${labels} — ${clip.id} (${hint})`;
    const scale = svg.getBoundingClientRect().width
      / svg.viewBox.baseVal.width;
    const [x, y] = places[index].map((place) => place * scale);
    const left = Math.min(x + 14, plot.clientWidth - tip.offsetWidth - 4);
    const above = y - tip.offsetHeight - 12;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${above < 0 ? y + 14 : above}px`;
  }

  // The mark nearest to a pointer, within a finger's width.
  function nearest(event) {
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale;
    const y = (event.clientY - box.top) * scale;
    const reach = event.pointerType === "touch" ? 22 * scale : 14 * scale;
    let best = -1;
    let least = reach * reach;
    places.forEach(([a, b], index) => {
      if (marks[index].classList.contains("faint")) return;
      const distance = (a - x) ** 2 + (b - y) ** 2;
      if (distance < least) [best, least] = [index, distance];
    });
    return best;
  }

  function play(index) {
    if (index < 0) return;
    const { sound } = payload.clips[marks[index].dataset.clip];
    for (const mark of marks) mark.classList.remove("playing");
    audio.pause();
    if (!sound) return;
    audio.src = soundUrl(sound);
    marks[index].classList.add("playing");
    start(audio);
  }

  audio.addEventListener("pause", () => {
    for (const mark of marks) mark.classList.remove("playing");
  });
  svg.addEventListener("pointermove", (event) => show(nearest(event)));
  svg.addEventListener("pointerleave", () => show(-1));
  svg.addEventListener("click", (event) => {
    const index = nearest(event);
    show(index);
    play(index);
  });
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    if (event.key in step) {
      let index = current;
      for (let tries = 0; tries < marks.length; tries += 1) {
        index = (index + step[event.key] + marks.length) % marks.length;
        if (!marks[index].classList.contains("faint")) break;
      }
      show(index);
    } else if (event.key === "Enter" || event.key === " ") {
      play(current);
    } else if (event.key === "Escape") {
      audio.pause();
      show(-1);
    } else {
      return;
    }
    event.preventDefault();
  });

  const buttons = [...map.querySelectorAll("[data-class]")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      for (const other of buttons) {
        other.setAttribute("aria-pressed", String(on && other === button));
      }
      for (const mark of marks) {
        const { labels } = payload.clips[mark.dataset.clip];
        mark.classList.toggle(
          "faint", on && !labels.includes(button.dataset.class));
      }
    });
  }
}

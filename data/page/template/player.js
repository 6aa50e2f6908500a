"use strict";
const payload = JSON.parse(document.getElementById("payload").textContent);
const urls = new Map();

// One object URL a sound, made when first needed and shared by players.
function soundUrl(key) {
  if (!urls.has(key)) {
    const bytes = Uint8Array.from(
      atob(payload.sounds[key]), (c) => c.charCodeAt(0));
    urls.set(key, URL.createObjectURL(
      new Blob([bytes], { type: "audio/flac" })));
  }
  return urls.get(key);
}

function start(audio) {
  audio.play().catch((error) => {
    // Pausing a sound that is still loading is no failure.
    if (error.name !== "AbortError") console.error(error);
  });
}

for (const audio of document.querySelectorAll("audio")) {
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) {
      if (other !== audio) other.pause();
    }
  });
}

for (const sound of document.querySelectorAll(".sound")) {
  const audio = sound.querySelector("audio");
  if (!audio) continue;
  const button = sound.querySelector(".play");
  const track = sound.querySelector(".track");
  audio.src = soundUrl(audio.dataset.sound);

  function follow() {
    if (audio.duration) {
      const place = audio.currentTime / audio.duration;
      track.style.setProperty("--place", `${100 * place}%`);
    }
    if (!audio.paused) requestAnimationFrame(follow);
  }
  audio.addEventListener("play", () => {
    sound.classList.add("playing");
    button.setAttribute("aria-pressed", "true");
    follow();
  });
  audio.addEventListener("pause", () => {
    sound.classList.remove("playing");
    button.setAttribute("aria-pressed", "false");
  });
  audio.addEventListener("ended", () => { audio.currentTime = 0; });
  button.addEventListener("click", () => {
    if (audio.paused) start(audio); else audio.pause();
  });
  track.addEventListener("click", (event) => {
    const box = track.getBoundingClientRect();
    const place = (event.clientX - box.left) / box.width;
    const seek = () => {
      audio.currentTime = place * audio.duration;
      start(audio);
    };
    if (audio.readyState > 0) return seek();
    audio.addEventListener("loadedmetadata", seek, { once: true });
    audio.load();
    start(audio);
  });
}

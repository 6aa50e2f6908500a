/* A stand-in for TensorFlow Serving: loads a SavedModel with the C library of
 * TensorFlow, as the server does, and answers each request in 8 threads at once.
 *
 *   serve MODEL < requests > answers
 *
 * A request is a line for each tensor, with its bytes after it,
 *   NAME TYPE RANK SIZE... BYTES\n
 * with names of the graph ("serving_default_waveform:0"); "?NAME" for each
 * that is asked for; and "." at its end. The answer has such lines, those of
 * each thread in turn, or "! BYTES\n" and why there is none; and ".".
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tensorflow/c/c_api.h>

#define THREADS 8
#define MOST 16

static TF_Session *session;
static TF_Output inputs[MOST], outputs[MOST];
static char output_names[MOST][256];
static TF_Tensor *given[MOST];
static int num_inputs, num_outputs;
static char *errors[THREADS];
static TF_Tensor *found[THREADS][MOST];

static void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static TF_Output find(TF_Graph *graph, char *name) {
  char *colon = strrchr(name, ':');
  TF_Output found = {NULL, 0};
  if (!colon) fail("a name without a number");
  found.index = atoi(colon + 1);
  *colon = 0;
  found.oper = TF_GraphOperationByName(graph, name);
  *colon = ':';
  if (!found.oper) fail("no such tensor");
  return found;
}

static TF_Tensor *read_tensor(void) {
  int type, rank;
  int64_t sizes[8], count = 1;
  size_t bytes;
  if (scanf("%d %d", &type, &rank) != 2 || rank > 8) fail("no tensor");
  for (int i = 0; i < rank; i++) {
    if (scanf("%ld", &sizes[i]) != 1) fail("no size");
    count *= sizes[i];
  }
  if (scanf("%zu", &bytes) != 1 || getchar() != '\n') fail("no length");
  if (type != TF_STRING) {
    TF_Tensor *tensor = TF_AllocateTensor(type, sizes, rank, bytes);
    if (fread(TF_TensorData(tensor), 1, bytes, stdin) != bytes) fail("short");
    return tensor;
  }
  /* Strings: the length of each before it, in 8 bytes. */
  TF_Tensor *tensor =
      TF_AllocateTensor(type, sizes, rank, count * sizeof(TF_TString));
  TF_TString *strings = TF_TensorData(tensor);
  for (int64_t i = 0; i < count; i++) {
    int64_t length;
    if (fread(&length, 8, 1, stdin) != 1) fail("short");
    char *text = malloc(length + 1);
    if (fread(text, 1, length, stdin) != (size_t)length) fail("short");
    TF_StringInit(&strings[i]);
    TF_StringCopy(&strings[i], text, length);
    free(text);
  }
  return tensor;
}

static void *answer(void *of_thread) {
  long thread = (long)of_thread;
  TF_Status *status = TF_NewStatus();
  TF_SessionRun(session, NULL, inputs, given, num_inputs, outputs,
                found[thread], num_outputs, NULL, 0, NULL, status);
  if (TF_GetCode(status) != TF_OK) errors[thread] = strdup(TF_Message(status));
  TF_DeleteStatus(status);
  return NULL;
}

static void tell(const char *name, TF_Tensor *tensor) {
  size_t bytes = TF_TensorByteSize(tensor);
  printf("%s %d %d", name, TF_TensorType(tensor), TF_NumDims(tensor));
  for (int axis = 0; axis < TF_NumDims(tensor); axis++)
    printf(" %ld", (long)TF_Dim(tensor, axis));
  printf(" %zu\n", bytes);
  fwrite(TF_TensorData(tensor), 1, bytes, stdout);
  TF_DeleteTensor(tensor);
}

static void answer_in_threads(void) {
  pthread_t threads[THREADS];
  for (long i = 0; i < THREADS; i++)
    pthread_create(&threads[i], NULL, answer, (void *)i);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    if (errors[i]) {
      printf("! %zu\n%s", strlen(errors[i]), errors[i]);
      free(errors[i]);
      errors[i] = NULL;
    } else {
      for (int k = 0; k < num_outputs; k++)
        tell(output_names[k], found[i][k]);
    }
  }
  puts(".");
  for (int k = 0; k < num_inputs; k++) TF_DeleteTensor(given[k]);
  num_inputs = num_outputs = 0;
}

int main(int argc, char **argv) {
  if (argc != 2) fail("serve MODEL");
  const char *tags[] = {"serve"};
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  session = TF_LoadSessionFromSavedModel(TF_NewSessionOptions(), NULL, argv[1],
                                         tags, 1, graph, NULL, status);
  if (TF_GetCode(status) != TF_OK) fail(TF_Message(status));

  char name[256];
  while (scanf("%255s", name) == 1) {
    if (num_inputs == MOST || num_outputs == MOST) fail("too many tensors");
    if (name[0] == '.') {
      answer_in_threads();
    } else if (name[0] == '?') {
      strcpy(output_names[num_outputs], name + 1);
      outputs[num_outputs++] = find(graph, name + 1);
    } else {
      inputs[num_inputs] = find(graph, name);
      given[num_inputs++] = read_tensor();
    }
  }
  return 0;
}

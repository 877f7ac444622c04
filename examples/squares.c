#include <corio.h>
#include <stdio.h>

CORIO_DISPATCHER(square, long, long);
static struct square squares;

static int dispatch(void *self, corio_batch *batch) /* once per phase, with all that was asked */
{
    (void)self;
    printf("a batch of %zu\n", corio_batch_len(batch));
    for (size_t i = 0; i < corio_batch_len(batch); i++)
        square_respond(batch, i, &(long){*square_input(batch, i) * *square_input(batch, i)});
    return CORIO_DONE;
}

static int collatz(void *arg) /* a task, straight down: on any core, until it asks */
{
    long n = *(long *)arg, squared = 0;
    for (; n != 1; n = n % 2 ? 3 * n + 1 : n / 2)
        ;
    return square_io(squares, arg, &squared); /* suspends here; goes on with the answer */
}

static int root(void *arg)
{
    for (long i = 1; i <= *(long *)arg; i++)
        corio_go_copy(collatz, &i, sizeof i);
    return corio_wait(); /* the first error of them all, or 0 */
}

int main(void)
{
    corio_runtime *runtime = NULL;
    int rc = corio_runtime_create(NULL, &runtime);
    if (rc == 0)
        rc = square_add(runtime, dispatch, NULL, &squares);
    if (rc == 0)
        rc = corio_run(runtime, root, &(long){100000});
    printf("%s\n", corio_strerror(rc));
    corio_runtime_destroy(runtime);
    return rc != 0;
}

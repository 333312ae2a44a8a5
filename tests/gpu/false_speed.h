/* What a false GPU of the speed tests is like: read from the environment, so that one build serves all tests.
 *
 * FALSE_<NAME> holds for all GPUs, FALSE_<NAME>_<index> for one.
 */
#include <stdio.h>
#include <stdlib.h>

static const char *word(const char *name, int device) {
    char key[96];
    snprintf(key, sizeof key, "FALSE_%s_%d", name, device);
    const char *found = getenv(key);
    snprintf(key, sizeof key, "FALSE_%s", name);
    return found ? found : getenv(key);
}
static double option(const char *name, int device, double otherwise) {
    const char *found = word(name, device);
    return found ? atof(found) : otherwise;
}

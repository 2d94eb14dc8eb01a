/* The network of a package and its stream, in static memory, on the engine that the package selects.
 *
 *   groupcomm_state* state = groupcomm_begin();
 *   if (state == NULL) print(groupcomm_error());
 *   groupcomm_process(state, in, out);
 *
 * groupcomm_network.h, which `groupcomm package` writes, names the network and its sizes. */
#ifndef GROUPCOMM_MICRO_BOARDS_PACKAGE_PACKAGE_H_
#define GROUPCOMM_MICRO_BOARDS_PACKAGE_PACKAGE_H_

#include "groupcomm_network.h"
#include "micro/include/groupcomm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Creates the state. A later call resets it to silence. Returns null on failure. */
groupcomm_state* groupcomm_begin(void);

/* After a failure of groupcomm_begin: the reason in one line. */
const char* groupcomm_error(void);

#ifdef __cplusplus
}
#endif

#endif /* GROUPCOMM_MICRO_BOARDS_PACKAGE_PACKAGE_H_ */

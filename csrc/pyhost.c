/* placeholder */
#include "conf.h"
int main(void) { return 0; }

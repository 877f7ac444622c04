/* SPDX-License-Identifier: MIT
 *
 * dispatcher.c - includes a dispatcher's header and links its library: -DHEADER='<corio/x.h>'
 * -DADD=function.
 */
#include HEADER

#include <stdio.h>

int main(void)
{
    int (*volatile add)() = (int (*)())ADD;
    puts(add ? "corio works" : "nothing there");
    return !add;
}

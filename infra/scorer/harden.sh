#!/bin/sh
# Leaves of a Debian nothing that a scorer has no use for and an intruder has: no program but Node, no shell, no package manager, nothing that
# runs with the rights of others. The list of Debian's packages stays, for whoever scans the image. Run it as root inside the image, last.
set -eu
find / -xdev -type f -perm /6000 -delete
rm -rf /var/cache/* /var/lib/apt /var/log/* /tmp/* /usr/share/doc /usr/share/man /usr/share/locale /usr/lib/apt /usr/share/perl* /usr/lib/*/perl*
# The shell that reads this goes, too; find is the last to run.
exec find /usr/bin /usr/sbin ! -type d ! -name node ! -name nodejs -delete

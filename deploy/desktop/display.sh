#!/bin/sh
# The display as a window of the logged-in user: started with the session, again after a crash, and not
# again after `q`, wrong settings, or the end of the session.
while true; do
  code=0
  /usr/local/bin/emotion-edge display || code=$?
  case $code in 0 | 78) exit ;; esac
  sleep 3
  [ -S "/tmp/.X11-unix/X$(echo "${DISPLAY#*:}" | cut -d. -f1)" ] || exit
done

#!/bin/sh
# The debug adapter is stepwell-run itself, from the PATH or where STEPWELL_RUN says.
exec "${STEPWELL_RUN:-stepwell-run}" --dap -

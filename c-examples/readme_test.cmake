# The README shows c-examples/readme.c as it is.
file(READ "${ROOT}/README.md" readme)
file(READ "${ROOT}/c-examples/readme.c" program)
string(FIND "${readme}" "```c\n${program}```" at)
if(at EQUAL -1)
  message(FATAL_ERROR "README.md does not have c-examples/readme.c in it word for word")
endif()

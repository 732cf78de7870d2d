# A library that is loaded when it is first needed (common/io/library.h): its headers are compiled against, it is not linked.
#
#   kv_library(common_io LIBCURL CURL libcurl4)
#
# NAME_SONAME and NAME_PACKAGE are defined for the target: what the linker would have written into the program for the
# library that pkg-config names (PKG is its prefix), and Debian's package that holds it.
function(kv_library target name pkg package)
  list(GET ${pkg}_LINK_LIBRARIES 0 file)
  execute_process(COMMAND ${CMAKE_READELF} -d ${file} OUTPUT_VARIABLE said RESULT_VARIABLE rc)
  if(NOT rc EQUAL 0 OR NOT said MATCHES "SONAME[^\n]*\\[([^]\n]+)\\]")
    message(FATAL_ERROR "${CMAKE_READELF} finds no SONAME in '${file}' (${package})")
  endif()
  message(STATUS "${name} is loaded when needed: ${CMAKE_MATCH_1}")
  target_include_directories(${target} SYSTEM PRIVATE ${${pkg}_INCLUDE_DIRS})
  target_compile_definitions(${target} PRIVATE ${name}_SONAME="${CMAKE_MATCH_1}" ${name}_PACKAGE="${package}")
endfunction()

# A room is a target that sees only the folders it may enter. Includes are written from
# the top of the tree, but the top is on nobody's include path: every target gets a folder
# of links to just its own folders and those it enters, so that a forbidden include does
# not compile.
#
#   kv_room(sentinel_wire FOLDERS sentinel/wire ENTERS sentinel/core common/base common/text
#           LINKS sentinel_core common_text)
#
# FOLDERS  where its sources are (all *.c directly in them, less EXCEPT)
# ENTERS   further folders whose headers it may include
# LINKS    targets and libraries it is linked with
# PROGRAM  an executable named after the target; otherwise a static library
function(kv_room name)
  cmake_parse_arguments(A "PROGRAM" "" "FOLDERS;ENTERS;LINKS;EXCEPT;ONLY" ${ARGN})
  set(sources)
  if(A_ONLY)
    foreach(f ${A_ONLY})
      list(APPEND sources ${CMAKE_SOURCE_DIR}/${f})
    endforeach()
  else()
    foreach(folder ${A_FOLDERS})
      file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.c)
      list(APPEND sources ${found})
    endforeach()
    foreach(f ${A_EXCEPT})
      list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/${f})
    endforeach()
  endif()
  if(NOT sources)
    return()
  endif()
  set(walls ${CMAKE_BINARY_DIR}/walls/${name})
  file(REMOVE_RECURSE ${walls})
  foreach(folder ${A_FOLDERS} ${A_ENTERS})
    get_filename_component(up ${walls}/${folder} DIRECTORY)
    file(MAKE_DIRECTORY ${up})
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${folder} ${walls}/${folder} SYMBOLIC)
  endforeach()
  if(A_PROGRAM)
    add_executable(${name} ${sources})
  else()
    add_library(${name} STATIC ${sources})
  endif()
  target_include_directories(${name} PRIVATE ${walls})
  if(name IN_LIST KVORUM_FUZZED)
    target_compile_options(${name} PRIVATE ${KVORUM_FUZZED_OPTIONS})
  endif()
  foreach(lib ${A_LINKS})
    if(TARGET ${lib} OR NOT lib MATCHES "^(common|kvnode|sentinel|agent)_")
      target_link_libraries(${name} PUBLIC ${lib})
    endif()
  endforeach()
endfunction()

# A program's manual page is what the program says about itself (--print-man), asked when it is installed.
function(kv_manual name section)
  set(page ${CMAKE_BINARY_DIR}/man/${name}.${section})
  install(CODE "file(MAKE_DIRECTORY \"${CMAKE_BINARY_DIR}/man\")
    execute_process(COMMAND \"${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/${name}\" --print-man OUTPUT_FILE \"${page}\" COMMAND_ERROR_IS_FATAL ANY)")
  install(FILES ${page} DESTINATION share/man/man${section})
endfunction()

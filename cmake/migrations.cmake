# Compiles the numbered SQL files in bridge/store/migrations/sqlite/ into the program.
# Sets `out` to the generated source.
function(orbridge_embed_migrations out)
  set(folder ${PROJECT_SOURCE_DIR}/bridge/store/migrations/sqlite)
  file(GLOB files CONFIGURE_DEPENDS ${folder}/*.sql)
  list(SORT files)
  set(number 0)
  set(rows "")
  foreach(file IN LISTS files)
    math(EXPR number "${number} + 1")
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} sql)
    string(APPEND rows "        {${number}, \"${name}\", R\"migration(${sql})migration\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  endforeach()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/generated/sqlite_migrations.cpp)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT
"#include \"bridge/store/migrations.h\"

namespace orbridge {

std::vector<Migration> sqlite_migrations() {
    return {
@rows@    };
}

}  // namespace orbridge
")
  set(${out} ${source} PARENT_SCOPE)
endfunction()

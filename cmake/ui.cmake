# Compiles the pages in bridge/ui into the program: no build step of their own, nothing to install beside it.
# Sets `out` to the generated source.
function(orbridge_embed_ui out)
  set(folder ${PROJECT_SOURCE_DIR}/bridge/ui)
  file(GLOB files CONFIGURE_DEPENDS ${folder}/*.html ${folder}/*.js ${folder}/*.css)
  set(rows "")
  foreach(file IN LISTS files)
    get_filename_component(name ${file} NAME)
    file(READ ${file} text)
    string(APPEND rows "        {\"${name}\", R\"ui_file(${text})ui_file\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  endforeach()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/generated/ui_files.cpp)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT
"#include \"bridge/ui/pages.h\"

namespace orbridge {

const std::vector<UiFile>& ui_files() {
    static const std::vector<UiFile> kFiles = {
@rows@    };
    return kFiles;
}

}  // namespace orbridge
")
  set(${out} ${source} PARENT_SCOPE)
endfunction()

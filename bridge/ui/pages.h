#pragma once

#include <string_view>
#include <vector>

#include "bridge/core/http.h"

namespace orbridge {

/// A file of bridge/ui, as it was when this program was built.
struct UiFile {
    std::string_view name;
    std::string_view text;
};
/// Generated (cmake/ui.cmake).
const std::vector<UiFile>& ui_files();

/// `/ui/<name>`: a page (`credentials` is credentials.html), a script or a style sheet. They hold no data: whoever
/// opens one shows the admin token to the API from there. 404: no such file.
///
/// What a page may do is fixed by its Content-Security-Policy: scripts and styles of this server, requests to this
/// server, and nothing else, so a value that is shown cannot become code or be sent elsewhere.
Answer ui_answer(std::string_view name);

}  // namespace orbridge

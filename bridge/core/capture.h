#pragma once

#include <string_view>

#include "bridge/core/http.h"
#include "bridge/core/result.h"

namespace orbridge {

/// Is the text a recorded HTTP request (begins with `POST /… HTTP/1.1`), as opposed to a bare body?
bool looks_like_capture(std::string_view text);

/// Reads a recorded HTTP/1.x request: request line, headers, an empty line, the body as it is. Lines of the
/// head end in CRLF or LF. With Content-Length the body is that long, and what follows (an editor's line
/// end) is left out. Invalid: no such request, or the body was cut off. Chunked bodies are not undone.
Result<InboundRequest> parse_capture(std::string_view text);

}  // namespace orbridge

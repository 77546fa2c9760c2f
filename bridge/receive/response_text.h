#pragma once

#include <string>

#include "bridge/core/clock.h"
#include "bridge/core/http.h"

namespace orbridge {

struct ResponseForm {
    bool without_body = false;  ///< the answer to HEAD: its Content-Length stays
    bool close = false;
    bool http11 = true;
    seconds keep_alive{0};  ///< told to the client, so that it stops reusing the connection before we close it
};

/// An answer as bytes. Framing and Connection are decided here; such headers in the answer are dropped.
std::string response_text(const Answer& answer, const ResponseForm& form);

/// The answer itself asks for the connection to be closed.
bool wants_close(const Answer& answer);

}  // namespace orbridge

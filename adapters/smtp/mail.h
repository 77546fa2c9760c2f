#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/result.h"

namespace orbridge::smtp {

/// Somebody who writes or gets mail.
struct Mailbox {
    std::string name;     ///< UTF-8; may be empty
    std::string address;  ///< `local@domain`, ASCII, without quotes
};

/// `a@b.example` or `Name <a@b.example>`. Invalid: what is wrong with it; so nothing of it can be another header or
/// another command of the dialogue.
Result<Mailbox> parse_mailbox(std::string_view text);

struct Mail {
    Mailbox from;
    std::vector<Mailbox> to, cc;
    std::vector<Mailbox> reply_to;  ///< none or one
    std::string subject;            ///< UTF-8; what is no text in it becomes a space
    std::string text, html;         ///< UTF-8; one of them at least
    std::string id;                 ///< the same for the same mail, so that who gets it twice can tell
    TimePoint date{};
};

/// RFC 5322 and MIME, in 7-bit lines that end with CRLF: with both text and html the reader chooses.
std::string written(const Mail& mail);

/// A header's text as RFC 2047 wants it: unchanged if it is ASCII, else in encoded words on lines of their own.
std::string header_text(std::string_view utf8);

}  // namespace orbridge::smtp

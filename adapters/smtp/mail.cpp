#include "adapters/smtp/mail.h"

#include <Poco/Net/MailMessage.h>
#include <Poco/Net/StringPartSource.h>
#include <Poco/Timestamp.h>

#include <algorithm>
#include <sstream>

#include "bridge/core/text.h"

namespace orbridge::smtp {
namespace {

constexpr std::size_t kAddressMax = 254, kLocalMax = 64, kNameMax = 200;  // RFC 5321 §4.5.3.1
constexpr std::size_t kWordBytes = 45;  // 60 characters of Base64: an encoded word may have 75
constexpr std::size_t kLineMax = 900;   // RFC 5322 §2.1.1: 998
constexpr const char* kPlain = "text/plain; charset=UTF-8";
constexpr const char* kHtml = "text/html; charset=UTF-8";
constexpr std::string_view kAtomText = "!#$%&'*+-/=?^_`{|}~.";

Error wrong(std::string message) { return {Error::Kind::Invalid, std::move(message)}; }

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool is_dotted(std::string_view text) {
    return !text.empty() && text.front() != '.' && text.back() != '.' && text.find("..") == std::string_view::npos;
}

bool is_local(std::string_view text) {
    return is_dotted(text) && text.size() <= kLocalMax && std::all_of(text.begin(), text.end(), [](char c) {
               return is_alnum(c) || kAtomText.find(c) != std::string_view::npos;
           });
}

bool is_domain(std::string_view text) {
    return is_dotted(text) &&
           std::all_of(text.begin(), text.end(), [](char c) { return is_alnum(c) || c == '-' || c == '.'; });
}

bool is_address(std::string_view text) {
    const auto at = text.rfind('@');
    return at != std::string_view::npos && text.size() <= kAddressMax && is_local(text.substr(0, at)) &&
           is_domain(text.substr(at + 1));
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// The end of the piece that begins at `begin`: never within a character.
std::size_t piece_end(std::string_view text, std::size_t begin) {
    auto end = std::min(text.size(), begin + kWordBytes);
    while (end < text.size() && end > begin + 1 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    return end;
}

std::string shown(const Mailbox& mailbox) {
    if (mailbox.name.empty()) return mailbox.address;
    if (!is_ascii(mailbox.name)) return header_text(mailbox.name) + " <" + mailbox.address + '>';
    std::string quoted = "\"";
    for (const char c : mailbox.name) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + "\" <" + mailbox.address + '>';
}

/// One on a line, so that no line becomes too long.
std::string shown(const std::vector<Mailbox>& all) {
    std::vector<std::string> texts;
    texts.reserve(all.size());
    for (const auto& each : all) texts.push_back(shown(each));
    return join(texts, ",\r\n ");
}

/// Line ends as mail has them.
std::string with_crlf(std::string_view text) {
    std::string made;
    made.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
        if (text[i] == '\n' || text[i] == '\r') {
            made += "\r\n";
        } else {
            made += text[i];
        }
    }
    return made;
}

void add_part(Poco::Net::MailMessage& message, const std::string& text, const char* type) {
    message.addContent(new Poco::Net::StringPartSource(with_crlf(text), type),  // which the message then owns
                       Poco::Net::MailMessage::ENCODING_BASE64);
}

void add_body(const Mail& mail, Poco::Net::MailMessage& message) {
    if (!mail.text.empty() && !mail.html.empty()) {
        message.setContentType("multipart/alternative");
        add_part(message, mail.text, kPlain);
        add_part(message, mail.html, kHtml);
        return;
    }
    message.setContentType(mail.html.empty() ? kPlain : kHtml);
    message.setContent(with_crlf(mail.html.empty() ? mail.text : mail.html), Poco::Net::MailMessage::ENCODING_BASE64);
}

std::string domain_of(const std::string& address) { return address.substr(address.rfind('@') + 1); }

/// What may stand in a Message-ID.
std::string id_of(const Mail& mail) {
    std::string id;
    for (const char c : mail.id) id += is_alnum(c) || c == '-' ? c : '-';
    return '<' + id + '@' + domain_of(mail.from.address) + '>';
}

}  // namespace

Result<Mailbox> parse_mailbox(std::string_view text) {
    const auto whole = trim(text);
    Mailbox mailbox;
    const auto open = whole.rfind('<');
    if (whole.ends_with('>') && open != std::string_view::npos) {
        auto name = trim(whole.substr(0, open));
        if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
        mailbox.name = std::string(name);
        mailbox.address = std::string(trim(whole.substr(open + 1, whole.size() - open - 2)));
    } else {
        mailbox.address = std::string(whole);
    }
    if (on_one_line(mailbox.name) != mailbox.name || mailbox.name.size() > kNameMax)
        return wrong("expected a name without control characters, of at most " + std::to_string(kNameMax) + " bytes");
    if (!is_address(mailbox.address))
        return wrong("not an address: expected `name@example.org` or `Name <name@example.org>`");
    return mailbox;
}

std::string header_text(std::string_view utf8) {
    auto text = std::string(trim(on_one_line(utf8)));
    // What looks like an encoded word would be read as one.
    if (is_ascii(text) && text.size() <= kLineMax && text.find("=?") == std::string::npos) return text;
    std::string words;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = piece_end(text, begin);
        words += (words.empty() ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?") + to_base64(text.substr(begin, end - begin)) + "?=";
        begin = end;
    }
    return words;
}

std::string written(const Mail& mail) {
    Poco::Net::MailMessage message;
    message.set("From", shown(mail.from));
    message.set("To", shown(mail.to));
    if (!mail.cc.empty()) message.set("Cc", shown(mail.cc));
    if (!mail.reply_to.empty()) message.set("Reply-To", shown(mail.reply_to));
    message.set("Subject", header_text(mail.subject));
    message.set("Message-ID", id_of(mail));
    message.set("Auto-Submitted", "auto-generated");  // RFC 3834: no holiday notices, please
    message.setDate(Poco::Timestamp(mail.date.time_since_epoch().count() * 1'000));
    add_body(mail, message);
    std::ostringstream text;
    message.write(text);
    return text.str();
}

}  // namespace orbridge::smtp

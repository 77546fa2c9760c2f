#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/result.h"
#include "bridge/core/secret.h"

namespace orbridge {

/// One dialogue with a mail server (RFC 5321), from greeting to QUIT.
struct MailRequest {
    enum class Security : std::uint8_t {
        StartTls,  ///< turned on before anything of us is told, or the dialogue ends
        Tls,       ///< from the first byte
        None,
    };
    std::string host;
    int port = 587;
    Security security = Security::StartTls;
    std::string ca_file{};  ///< authorities to trust besides the system's; empty: none
    std::string user{};     ///< empty: no login
    Secret password{};
    std::string from{};             ///< an address
    std::vector<std::string> to{};  ///< addresses; empty: no mail is sent, and what the server says to NOOP counts
    std::string mail{};             ///< RFC 5322, lines ended by CRLF
    milliseconds connect_timeout{5'000};
    std::chrono::steady_clock::time_point until{};  ///< of the whole dialogue
    std::stop_token stop{};
    /// Asked with each IP address before it is connected to. Empty: any. Invalid: why not.
    std::function<Status(const std::string& address)> may_connect{};
};

/// How it ended.
struct MailEnd {
    enum class How : std::uint8_t {
        Done,       ///< the server took it
        Refused,    ///< `code` says how
        NoTls,      ///< the server offers no encryption
        BadServer,  ///< its certificate is not to be trusted
        Timeout,
        Stopped,     ///< by us
        BadAddress,  ///< may_connect()
        Trouble,
    } how = How::Trouble;
    int code = 0;          ///< of the server's last reply; 0: none came
    std::string reply{};   ///< the last line of it
    std::string reason{};  ///< what went wrong, without the reply
    bool sent = false;     ///< the server has seen the mail's text whole, or may have
};

/// Holds the dialogue and waits for its end. No recipient gets the mail if the server refuses one of them. Safe from
/// any thread.
MailEnd exchange_mail(const MailRequest& request);

}  // namespace orbridge

#include "adapters/smtp/tasks.h"

#include <utility>

#include "adapters/smtp/mail.h"
#include "bridge/core/text.h"

namespace orbridge::smtp {
namespace {

using Is = NativeEnd::Is;
using How = MailEnd::How;

Error wrong(std::string message) { return {Error::Kind::Invalid, std::move(message)}; }

std::string text_of(const Json& object, const char* name) { return object[name].string().value_or(std::string()); }

/// 534, 535, 538: RFC 4954 §6; 530: a login is wanted.
bool is_about_login(int code) { return code == 530 || code == 534 || code == 535 || code == 538; }

Is class_of(const MailEnd& end) {
    switch (end.how) {
        case How::Done: return Is::Done;
        case How::Refused:
            if (is_about_login(end.code)) return Is::Unauthorized;
            return end.code >= 500 ? Is::Rejected : Is::Trouble;
        case How::NoTls:
        case How::BadServer: return Is::Misconfigured;
        case How::BadAddress: return Is::Rejected;
        case How::Timeout: return Is::Timeout;
        case How::Stopped:
        case How::Trouble: break;
    }
    return Is::Trouble;
}

std::string message_of(const MailEnd& end) {
    switch (end.how) {
        case How::Done: return end.reply;
        case How::Refused: return "refused: " + end.reply;
        case How::NoTls: return "the server offers no encryption: " + end.reason;
        case How::BadAddress: return "the address is refused: " + end.reason;
        case How::Stopped: return "stopped";
        case How::BadServer:
        case How::Timeout:
        case How::Trouble: break;
    }
    return end.reason;
}

Status add_mailboxes(const Json& list, const char* what, std::vector<Mailbox>& to) {
    for (const auto& [key, raw_key, item] : list.members()) {
        auto mailbox = parse_mailbox(item.string().value_or(std::string()));
        if (!mailbox) return wrong(std::string(what) + ": " + mailbox.error().message);
        to.push_back(std::move(*mailbox));
    }
    return Ok{};
}

Result<Mail> mail_of(const NativeRun& run, std::vector<Mailbox>& hidden) {
    Mail mail;
    auto from = parse_mailbox(text_of(run.config, "from"));
    if (!from) return wrong("config.from: " + from.error().message);
    mail.from = std::move(*from);
    if (auto added = add_mailboxes(run.params["to"], "to", mail.to); !added) return added.error();
    if (auto added = add_mailboxes(run.params["cc"], "cc", mail.cc); !added) return added.error();
    if (auto added = add_mailboxes(run.params["bcc"], "bcc", hidden); !added) return added.error();
    if (const auto reply_to = text_of(run.params, "reply_to"); !reply_to.empty()) {
        auto mailbox = parse_mailbox(reply_to);
        if (!mailbox) return wrong("reply_to: " + mailbox.error().message);
        mail.reply_to.push_back(std::move(*mailbox));
    }
    mail.subject = text_of(run.params, "subject");
    mail.text = text_of(run.params, "text");
    mail.html = text_of(run.params, "html");
    if (mail.text.empty() && mail.html.empty()) return wrong("needs `text` or `html`");
    mail.id = run.id;
    return mail;
}

MailRequest::Security security_of(const std::string& word) {
    if (word == "tls") return MailRequest::Security::Tls;
    return word == "none" ? MailRequest::Security::None : MailRequest::Security::StartTls;
}

Status add_mail(const NativeRun& run, TimePoint now, MailRequest& request) {
    std::vector<Mailbox> hidden;
    auto mail = mail_of(run, hidden);
    if (!mail) return mail.error();
    mail->date = now;
    request.from = mail->from.address;
    for (const auto* list : {&mail->to, &mail->cc, &hidden})
        for (const auto& mailbox : *list) request.to.push_back(mailbox.address);
    request.mail = written(*mail);
    return Ok{};
}

/// As AUTH PLAIN has it (RFC 4616), which a server might repeat.
std::string without_login(std::string text, const MailRequest& request) {
    Mask mask;
    mask.add('\0' + request.user + '\0' + request.password.reveal());
    return mask(std::move(text));
}

}  // namespace

NativeEnd end_of(const MailEnd& end) {
    const bool seen = end.sent && end.how != How::Done;
    return {.is = class_of(end),
            .message = message_of(end),
            .answered = end.code != 0,
            .unclear = seen,
            .sent = end.how != How::Stopped || end.sent};
}

std::string sender_fault(const Json& config) {
    const auto from = parse_mailbox(text_of(config, "from"));
    return from || !config["from"].present() ? std::string() : "from: " + from.error().message;
}

Result<MailRequest> request_of(const NativeRun& run, TimePoint now) {
    MailRequest request;
    const auto host = parse_outbound_host(text_of(run.config, "host"));
    if (!host) return wrong("host: " + host.error().message);
    request.host = host->host;
    request.security = security_of(text_of(run.config, "security"));
    request.port = static_cast<int>(
        run.config["port"].integer().value_or(request.security == MailRequest::Security::Tls ? 465 : 587));
    request.user = text_of(run.credentials, "user");
    request.password = Secret(text_of(run.credentials, "password"));
    if (!request.user.empty() && request.security == MailRequest::Security::None)
        return wrong("security: none, and credentials are not told to anybody without encryption");
    request.connect_timeout = run.connect_timeout;
    request.until = run.until;
    request.stop = run.stop;
    if (run.task == "test") return request;
    if (auto added = add_mail(run, now, request); !added) return added.error();
    return request;
}

NativeEnd SmtpTasks::run(const NativeRun& run) const {
    auto request = request_of(run, parts_.now());
    if (!request) return {.is = Is::Rejected, .message = request.error().message, .sent = false};
    request->ca_file = parts_.ca_file;
    if (run.address_from_others) {
        request->may_connect = [policy = parts_.policy, host = request->host](const std::string& address) -> Status {
            const auto url = parse_outbound_host(host);
            const auto ip = parse_ip(address);
            if (!url || !ip) return wrong("the address cannot be read");
            return policy->judge_address(*url, *ip);
        };
    }
    auto end = end_of(exchange_mail(*request));
    end.message = without_login(std::move(end.message), *request);
    if (end.is == Is::Done && run.task == "test") end.message = "Connected to " + request->host + ", " + end.message;
    return end;
}

}  // namespace orbridge::smtp

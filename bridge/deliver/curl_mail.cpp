#include "bridge/deliver/curl_mail.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "bridge/core/text.h"
#include "bridge/deliver/ip_address.h"

namespace orbridge {
namespace {

using Steady = std::chrono::steady_clock;

constexpr const char* kSystemAuthorities = "/etc/ssl/certs";
constexpr std::size_t kReplyBytes = 1'000;
constexpr int kGoAhead = 354;  // the text of the mail is wanted now
constexpr int kGoodbye = 221;

class Dialogue {
public:
    explicit Dialogue(const MailRequest& request) : request_(request), handle_(curl_easy_init(), &curl_easy_cleanup) {}
    ~Dialogue() { curl_slist_free_all(recipients_); }
    Dialogue(const Dialogue&) = delete;
    Dialogue& operator=(const Dialogue&) = delete;

    MailEnd hold() {
        if (!handle_) return {.reason = "out of memory"};
        set_rules();
        set_security();
        set_callbacks();
        if (!set_mail()) return {.reason = "out of memory"};
        set(CURLOPT_CONNECTTIMEOUT_MS, std::min(left(), long{request_.connect_timeout.count()}));
        set(CURLOPT_TIMEOUT_MS, left());
        return end_of(curl_easy_perform(handle_.get()));
    }

private:
    template <class Value>
    void set(CURLoption option, Value value) {
        curl_easy_setopt(handle_.get(), option, value);
    }

    void set_rules() {
        const bool tls = request_.security == MailRequest::Security::Tls;
        const bool is_v6 = request_.host.find(':') != std::string::npos;
        url_ = (tls ? "smtps://" : "smtp://") + (is_v6 ? '[' + request_.host + ']' : request_.host) + ':' +
               std::to_string(request_.port);
        set(CURLOPT_URL, url_.c_str());
        set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_QUICK_EXIT, 1L);
        set(CURLOPT_PROXY, "");
        set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
        set(CURLOPT_ERRORBUFFER, trouble_);
        set(CURLOPT_FORBID_REUSE, 1L);  // else QUIT would be said, and its answer waited for, without our deadline
    }

    void set_security() {
        if (request_.security != MailRequest::Security::None) set(CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
        if (!request_.ca_file.empty()) {
            set(CURLOPT_CAINFO, request_.ca_file.c_str());
            set(CURLOPT_CAPATH, kSystemAuthorities);  // which CAINFO would take the place of
        }
        if (request_.user.empty()) return;
        set(CURLOPT_USERNAME, request_.user.c_str());
        set(CURLOPT_PASSWORD, request_.password.reveal().c_str());
    }

    void set_callbacks() {
        set(CURLOPT_HEADERFUNCTION, &Dialogue::on_reply);
        set(CURLOPT_HEADERDATA, this);
        set(CURLOPT_WRITEFUNCTION, &Dialogue::on_text);
        set(CURLOPT_NOPROGRESS, 0L);
        set(CURLOPT_XFERINFOFUNCTION, &Dialogue::on_progress);
        set(CURLOPT_XFERINFODATA, this);
        if (!request_.may_connect) return;
        set(CURLOPT_OPENSOCKETFUNCTION, &Dialogue::on_open_socket);
        set(CURLOPT_OPENSOCKETDATA, this);
    }

    bool set_mail() {
        if (request_.to.empty()) {
            set(CURLOPT_NOBODY, 1L);
            set(CURLOPT_CUSTOMREQUEST, "NOOP");
            return true;
        }
        for (const auto& address : request_.to) {
            auto* longer = curl_slist_append(recipients_, address.c_str());
            if (longer == nullptr) return false;
            recipients_ = longer;
        }
        set(CURLOPT_MAIL_FROM, request_.from.c_str());
        set(CURLOPT_MAIL_RCPT, recipients_);
        set(CURLOPT_UPLOAD, 1L);
        set(CURLOPT_READFUNCTION, &Dialogue::on_read);
        set(CURLOPT_READDATA, this);
        set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request_.mail.size()));
        return true;
    }

    long left() const {
        const auto left = std::chrono::duration_cast<milliseconds>(request_.until - Steady::now());
        return std::max(1L, long{left.count()});
    }

    /// libcurl gives lines of replies to whoever takes headers.
    static std::size_t on_reply(char* data, std::size_t size, std::size_t count, void* self) {
        static_cast<Dialogue*>(self)->take_reply({data, size * count});
        return size * count;
    }
    static std::size_t on_text(char*, std::size_t size, std::size_t count, void*) { return size * count; }

    void take_reply(std::string_view line) {
        int code = 0;
        if (std::from_chars(line.data(), line.data() + std::min<std::size_t>(3, line.size()), code).ec != std::errc{})
            return;
        if (code == kGoodbye) return;  // to QUIT, or a reason that another reply has told
        answered_ |= went_ahead_;
        went_ahead_ |= code == kGoAhead;
        replied_ = code;
        reply_ = std::string(trim(line.substr(0, kReplyBytes)));
    }

    static std::size_t on_read(char* to, std::size_t size, std::size_t count, void* self) {
        auto& dialogue = *static_cast<Dialogue*>(self);
        const auto room = std::min(size * count, dialogue.request_.mail.size() - dialogue.read_);
        std::copy_n(dialogue.request_.mail.data() + dialogue.read_, room, to);
        dialogue.read_ += room;
        return room;
    }

    /// Also called, once a second, while it waits, for the answer to QUIT too.
    static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        const auto& request = static_cast<Dialogue*>(self)->request_;
        return request.stop.stop_requested() || Steady::now() > request.until ? 1 : 0;
    }

    static curl_socket_t on_open_socket(void* self, curlsocktype, curl_sockaddr* address) {
        auto& dialogue = *static_cast<Dialogue*>(self);
        const auto ip = ip_of(address->addr);
        const auto verdict = dialogue.request_.may_connect(ip ? to_text(*ip) : std::string());
        if (!verdict) {
            dialogue.refusal_ = verdict.error().message;
            return CURL_SOCKET_BAD;
        }
        return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    }

    /// libcurl leaves the reply to QUIT out.
    int last_code() const {
        long code = 0;
        curl_easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &code);
        return static_cast<int>(code);
    }

    MailEnd::How how(CURLcode code, int replied) const {
        using How = MailEnd::How;
        if (code == CURLE_OK) return How::Done;
        if (!refusal_.empty() && replied == 0) return How::BadAddress;
        if (code == CURLE_ABORTED_BY_CALLBACK) return request_.stop.stop_requested() ? How::Stopped : How::Timeout;
        if (code == CURLE_OPERATION_TIMEDOUT) return How::Timeout;
        if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) return How::BadServer;
        if (replied >= 400) return How::Refused;
        return code == CURLE_USE_SSL_FAILED ? How::NoTls : How::Trouble;
    }

    MailEnd end_of(CURLcode code) const {
        const int replied = last_code();
        MailEnd end{.how = how(code, replied), .code = replied};
        end.reply = replied == replied_ ? reply_ : std::to_string(replied);
        end.sent = went_ahead_ && !(answered_ && end.how == MailEnd::How::Refused);
        if (code == CURLE_OK) return end;
        end.reason = trouble_[0] != '\0' ? std::string(trouble_) : curl_easy_strerror(code);
        if (end.how == MailEnd::How::BadAddress) end.reason = refusal_;
        return end;
    }

    const MailRequest& request_;
    std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle_;
    curl_slist* recipients_ = nullptr;
    std::string url_, reply_, refusal_;
    std::size_t read_ = 0;
    int replied_ = 0;
    bool went_ahead_ = false;  ///< the text was asked for
    bool answered_ = false;    ///< … and the server has said what it thinks of it
    char trouble_[CURL_ERROR_SIZE] = {};
};

}  // namespace

MailEnd exchange_mail(const MailRequest& request) { return Dialogue(request).hold(); }

}  // namespace orbridge

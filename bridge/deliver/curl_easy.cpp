#include "bridge/deliver/curl_easy.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "bridge/core/text.h"
#include "bridge/deliver/ip_address.h"

namespace orbridge {
namespace {

// libcurl's own 16 KiB would be most of what an exchange that hangs costs: small answers are read in small pieces.
constexpr long kReadBytes = 1'024;
constexpr long kReadBytesOfLarge = 16'384;
constexpr std::size_t kSmallAnswer = 64 << 10;

constexpr const char* kSystemAuthorities = "/etc/ssl/certs";

constexpr std::string_view kControls{"\r\n\0", 3};

std::string http_date_of_now() {
    const auto now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 40> text{};
    const auto size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return {text.data(), size};
}

void set_rules(CURL* handle, const CurlSettings& settings) {
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(handle, CURLOPT_PROXY, "");  // also keeps http_proxy and friends out
    curl_easy_setopt(handle, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, nullptr);
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    curl_easy_setopt(handle, CURLOPT_USERAGENT, settings.user_agent.c_str());
    curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
    if (settings.ca_file.empty()) return;
    curl_easy_setopt(handle, CURLOPT_CAINFO, settings.ca_file.c_str());
    curl_easy_setopt(handle, CURLOPT_CAPATH, kSystemAuthorities);  // which CAINFO would take the place of
}

bool is_interim(int status) { return status >= 100 && status < 200; }

}  // namespace

CurlEasy::CurlEasy(const CurlSettings& settings) : settings_(settings), handle_(curl_easy_init()) {
    if (handle_ == nullptr) std::abort();  // out of memory
}

CurlEasy::~CurlEasy() {
    curl_easy_cleanup(handle_);
    curl_slist_free_all(headers_);
    curl_slist_free_all(resolved_);
}

/// A handle that is used again without a reset keeps count of the dead connections it met, and fails at the sixth.
void CurlEasy::reset() {
    curl_easy_reset(handle_);
    set_rules(handle_, settings_);
    curl_easy_setopt(handle_, CURLOPT_PRIVATE, this);
    curl_easy_setopt(handle_, CURLOPT_ERRORBUFFER, trouble_);
    curl_easy_setopt(handle_, CURLOPT_WRITEFUNCTION, &CurlEasy::on_body);
    curl_easy_setopt(handle_, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(handle_, CURLOPT_HEADERFUNCTION, &CurlEasy::on_header);
    curl_easy_setopt(handle_, CURLOPT_HEADERDATA, this);
}

std::optional<std::string> CurlEasy::prepare(HttpRequest request, Transport::Done done) {
    request_ = std::move(request);
    done_ = std::move(done);
    started_ = std::chrono::steady_clock::now();
    reset();
    if (request_.url.find_first_of(kControls) != std::string::npos) return "the URL has a line break in it";
    if (auto wrong = set_headers()) return wrong;
    set_method();
    const bool small = request_.answer_bytes_max <= kSmallAnswer;
    curl_easy_setopt(handle_, CURLOPT_BUFFERSIZE, small ? kReadBytes : kReadBytesOfLarge);
    if (request_.may_connect) {
        curl_easy_setopt(handle_, CURLOPT_OPENSOCKETFUNCTION, &CurlEasy::on_open_socket);
        curl_easy_setopt(handle_, CURLOPT_OPENSOCKETDATA, this);
        curl_easy_setopt(handle_, CURLOPT_PREREQFUNCTION, &CurlEasy::on_connected);
        curl_easy_setopt(handle_, CURLOPT_PREREQDATA, this);
    }
    curl_easy_setopt(handle_, CURLOPT_URL, request_.url.c_str());
    set_timeouts();
    name_.reset();
    if (request_.unix_socket.empty()) name_ = name_to_look_up(request_.url);
    if (!request_.unix_socket.empty())
        curl_easy_setopt(handle_, CURLOPT_UNIX_SOCKET_PATH, request_.unix_socket.c_str());
    return std::nullopt;
}

/// Of what is left since the exchange was begun.
void CurlEasy::set_timeouts() {
    const auto left = [passed = age()](milliseconds of) { return std::max(1L, long{(of - passed).count()}); };
    curl_easy_setopt(handle_, CURLOPT_CONNECTTIMEOUT_MS, left(request_.connect_timeout));
    curl_easy_setopt(handle_, CURLOPT_TIMEOUT_MS, left(request_.timeout));
}

/// `+`: libcurl may forget it again, as it would what it looked up itself.
bool CurlEasy::set_addresses(const Resolver::Addresses& addresses) {
    auto entry = '+' + name_->host + ':' + std::to_string(name_->port) + ':';
    for (const auto& address : addresses) {
        if (&address != &addresses.front()) entry += ',';
        entry += address.is_v4 ? to_text(address) : '[' + to_text(address) + ']';
    }
    resolved_ = curl_slist_append(nullptr, entry.c_str());
    if (resolved_ == nullptr) return false;
    curl_easy_setopt(handle_, CURLOPT_RESOLVE, resolved_);
    set_timeouts();
    return true;
}

std::chrono::steady_clock::time_point CurlEasy::connect_until() const {
    return started_ + std::min(request_.connect_timeout, request_.timeout);
}

void CurlEasy::set_method() {
    const auto& method = request_.method;
    if (method == "HEAD") {
        curl_easy_setopt(handle_, CURLOPT_NOBODY, 1L);
        return;
    }
    if (method == "POST" || !request_.body.empty()) {
        curl_easy_setopt(handle_, CURLOPT_POST, 1L);
        curl_easy_setopt(handle_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
        curl_easy_setopt(handle_, CURLOPT_POSTFIELDS, request_.body.data());
    }
    if (method != "POST" && method != "GET") curl_easy_setopt(handle_, CURLOPT_CUSTOMREQUEST, method.c_str());
    if (method == "GET" && !request_.body.empty()) curl_easy_setopt(handle_, CURLOPT_CUSTOMREQUEST, "GET");
}

std::optional<std::string> CurlEasy::set_headers() {
    if (request_.method.empty() || request_.method.find_first_of(" \r\n") != std::string::npos)
        return "the method is not a word";
    for (const auto& [name, value] : request_.headers) {
        const bool broken = name.find_first_of(kControls) != std::string::npos || name.find(':') != std::string::npos ||
                            value.find_first_of(kControls) != std::string::npos;
        if (name.empty() || broken) return "a header has no name, or a line break in it";
        // "name:" would tell libcurl to leave the header out; "name;" sends it empty.
        auto line = name;
        line.append(value.empty() ? ";" : ": ").append(value);
        if (!add_header(line)) return "out of memory";
    }
    if (!add_header("Expect:")) return "out of memory";  // libcurl would wait a second for 100 Continue
    if (find_header(request_.headers, "content-type") == nullptr && !add_header("Content-Type:"))
        return "out of memory";
    curl_easy_setopt(handle_, CURLOPT_HTTPHEADER, headers_);
    request_.headers = {};  // libcurl's list is enough
    return std::nullopt;
}

bool CurlEasy::add_header(const std::string& line) {
    auto* longer = curl_slist_append(headers_, line.c_str());
    if (longer == nullptr) return false;
    headers_ = longer;
    return true;
}

std::size_t CurlEasy::on_body(char* data, std::size_t size, std::size_t count, void* self) {
    return static_cast<CurlEasy*>(self)->take_body({data, size * count}) ? size * count : 0;
}

std::size_t CurlEasy::on_header(char* data, std::size_t size, std::size_t count, void* self) {
    return static_cast<CurlEasy*>(self)->take_header({data, size * count}) ? size * count : 0;
}

/// The last moment at which a resolved address can be refused: nothing has been sent to it yet.
curl_socket_t CurlEasy::on_open_socket(void* self, curlsocktype, curl_sockaddr* address) {
    const auto ip = ip_of(address->addr);
    if (!static_cast<CurlEasy*>(self)->may_connect(ip ? to_text(*ip) : std::string())) return CURL_SOCKET_BAD;
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/// A connection that an exchange with other rights has left open is judged here.
int CurlEasy::on_connected(void* self, char* remote_ip, char*, int, int) {
    const auto ip = parse_ip(remote_ip);
    const bool may = static_cast<CurlEasy*>(self)->may_connect(ip ? to_text(*ip) : std::string());
    return may ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

bool CurlEasy::may_connect(const std::string& address) {
    const auto verdict = request_.may_connect(address);
    if (!verdict) refusal_ = verdict.error().message;
    return verdict.has_value();
}

/// False ends the exchange: whoever sends more than is wanted is not listened to any longer.
bool CurlEasy::take_body(std::string_view part) {
    const auto room = request_.answer_bytes_max - response_.body.size();
    response_.body_cut = part.size() > room;
    response_.body += part.substr(0, room);
    return !response_.body_cut;
}

bool CurlEasy::take_header(std::string_view line) {
    header_bytes_ += line.size();
    header_over_ = header_bytes_ > settings_.header_bytes_max;
    if (header_over_) return false;
    if (line.starts_with("HTTP/")) {  // the status line of an interim answer or of the answer
        response_.headers.clear();
        head_whole_ = false;
    } else if (trim(line).empty()) {
        head_whole_ = true;
    } else if (const auto colon = line.find(':'); colon != std::string_view::npos) {
        response_.headers.push_back(
            {std::string(trim(line.substr(0, colon))), std::string(trim(line.substr(colon + 1)))});
    }
    return true;
}

Exchange CurlEasy::result(CURLcode code) {
    long status = 0;
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    const bool whole = code == CURLE_OK || (code == CURLE_WRITE_ERROR && response_.body_cut);
    // libcurl takes a connection that ends within the header for the end of a good answer.
    if (!whole || !head_whole_ || is_interim(static_cast<int>(status))) return failure(code);
    response_.status = static_cast<int>(status);
    // RFC 9110 §6.6.1 wants it of whoever receives an answer without one; only a Retry-After is read against it.
    const bool dated = find_header(response_.headers, "retry-after") != nullptr;
    if (dated && find_header(response_.headers, "date") == nullptr)
        response_.headers.push_back({"Date", http_date_of_now()});
    return std::move(response_);
}

/// libcurl counts what it has written of the request, over all connections it tried.
TransportFailure::Reached CurlEasy::reached() const {
    long sent = 0;
    curl_easy_getinfo(handle_, CURLINFO_REQUEST_SIZE, &sent);
    return sent == 0 ? TransportFailure::Reached::NothingSent : TransportFailure::Reached::Unclear;
}

TransportFailure CurlEasy::failure(CURLcode code) const {
    TransportFailure failure{.reached = reached(), .timed_out = code == CURLE_OPERATION_TIMEDOUT, .reason = {}};
    if (!refusal_.empty() && failure.reached == TransportFailure::Reached::NothingSent) {
        failure.reason = refusal_;
    } else if (header_over_) {
        failure.reason = "the answer's header is larger than " + std::to_string(settings_.header_bytes_max) + " bytes";
    } else if (code == CURLE_OUT_OF_MEMORY) {  // what libcurl calls a line beyond its own limit, of 100 KiB
        failure.reason = "the answer has a header larger than libcurl takes, or memory is short";
    } else if (code == CURLE_OK) {
        failure.reason = "the answer ended before its header did";
    } else {
        failure.reason = trouble_[0] != '\0' ? std::string(trouble_) : curl_easy_strerror(code);
    }
    return failure;
}

TransportFailure CurlEasy::abandoned(const std::string& why) const {
    return {.reached = reached(), .timed_out = false, .reason = why};
}

milliseconds CurlEasy::age() const {
    return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - started_);
}

Transport::Done CurlEasy::take_done() {
    auto done = std::move(done_);
    clear();
    return done;
}

void CurlEasy::clear() {
    curl_easy_setopt(handle_, CURLOPT_HTTPHEADER, nullptr);  // of which libcurl keeps the address only
    curl_easy_setopt(handle_, CURLOPT_RESOLVE, nullptr);
    curl_slist_free_all(std::exchange(headers_, nullptr));
    curl_slist_free_all(std::exchange(resolved_, nullptr));
    name_.reset();
    request_ = {};
    response_ = {};
    done_ = nullptr;
    header_bytes_ = 0;
    header_over_ = false;
    head_whole_ = false;
    refusal_.clear();
    trouble_[0] = '\0';
}

}  // namespace orbridge

#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "bridge/deliver/curl_transport.h"

namespace orbridge {

/// One exchange in libcurl's hands: the handle, and what its callbacks have collected. Used again and again.
/// Does not move, as libcurl holds its address. Part of CurlTransport.
class CurlEasy {
public:
    explicit CurlEasy(const CurlSettings& settings);
    CurlEasy(const CurlEasy&) = delete;
    CurlEasy& operator=(const CurlEasy&) = delete;
    ~CurlEasy();

    /// What is wrong with the request, or nothing if the handle is ready for the multi.
    std::optional<std::string> prepare(HttpRequest request, Transport::Done done);
    /// The name that has to be looked up before; nothing: none.
    const std::optional<NamedPort>& name() const { return name_; }
    /// What it was found to be. The time that took counts. False: out of memory.
    bool set_addresses(const Resolver::Addresses& addresses);
    /// Until when a connection must have been made.
    std::chrono::steady_clock::time_point connect_until() const;
    /// After libcurl has ended the exchange.
    Exchange result(CURLcode code);
    /// The exchange is ended from our side.
    TransportFailure abandoned(const std::string& why) const;
    /// Forgets the request and the answer and hands back whom to tell.
    Transport::Done take_done();

    CURL* handle() const { return handle_; }
    milliseconds age() const;

private:
    static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
    static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
    static curl_socket_t on_open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
    static int on_connected(void* self, char* remote_ip, char* local_ip, int remote_port, int local_port);
    bool may_connect(const std::string& address);
    bool take_body(std::string_view part);
    bool take_header(std::string_view line);
    void reset();
    void set_method();
    void set_timeouts();
    std::optional<std::string> set_headers();
    bool add_header(const std::string& line);
    void clear();
    TransportFailure::Reached reached() const;
    TransportFailure failure(CURLcode code) const;

    const CurlSettings& settings_;
    CURL* handle_;
    curl_slist* headers_ = nullptr;
    curl_slist* resolved_ = nullptr;  ///< of CURLOPT_RESOLVE
    std::optional<NamedPort> name_;
    HttpRequest request_;
    Transport::Done done_;
    HttpResponse response_;
    std::size_t header_bytes_ = 0;
    bool header_over_ = false;
    bool head_whole_ = false;  ///< the empty line after the header has come
    std::chrono::steady_clock::time_point started_{};
    std::string refusal_;  ///< why an address was not connected to
    char trouble_[CURL_ERROR_SIZE] = {};
};

}  // namespace orbridge

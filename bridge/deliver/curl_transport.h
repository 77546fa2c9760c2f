#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "bridge/deliver/resolver.h"
#include "bridge/deliver/transport.h"

namespace orbridge {

struct CurlSettings {
    std::size_t header_bytes_max = 64 << 10;  ///< of an answer, interim answers included
    int idle_connections_max = 256;           ///< kept open for the next exchange
    std::string ca_file;                      ///< further authorities; empty: the system's
    std::string user_agent = "orbridge/" ORBRIDGE_VERSION;
    Resolve lookup = resolve_by_system;  ///< called on threads of its own, which may outlive the transport
    ResolverSettings names;
};

/// Transport over libcurl's multi interface and epoll: one thread carries thousands of exchanges, and those
/// that hang cost a socket each (libraries.md §4). Asleep whenever nothing happens. What may not happen here
/// by design: redirects, proxies from the environment, schemes besides http and https, decompression, an
/// answer kept beyond its limit, an exchange beyond its time.
///
/// Names are looked up by a Resolver, whose threads are bounded, and given to libcurl with CURLOPT_RESOLVE: its
/// own resolver starts a thread for each lookup. Addresses are judged when libcurl asks for a socket. An
/// exchange waits for its name at most as long as for a connection.
///
/// The process must ignore SIGPIPE (OpenSSL writes without MSG_NOSIGNAL); main does.
class CurlTransport final : public Transport {
public:
    explicit CurlTransport(CurlSettings settings = {});
    /// Ends what is left as stop() does.
    ~CurlTransport() override;

    void send(HttpRequest request, Done done) override;
    void poll(milliseconds wait_max) override;
    void wake() override;
    void stop() override;

    /// Times poll() came back from waiting, for whoever wants to know that it sleeps. Driver's thread only.
    std::size_t wakeups() const;

private:
    class Loop;
    std::unique_ptr<Loop> loop_;
};

}  // namespace orbridge

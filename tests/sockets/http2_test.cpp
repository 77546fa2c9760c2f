#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "bridge/deliver/curl_transport.h"
#include "tests/support/temporary_folder.h"

// Against nghttpd (nghttp2-server), which speaks HTTP/2 over TLS and sends back what it gets.
using namespace orbridge;
using namespace std::chrono_literals;

namespace {

/// Bound, without listening, until the end of the program: the system gives the port to nobody who asks for any port,
/// and a server that names it and reuses addresses still gets it.
int free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    BOOST_REQUIRE(::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    BOOST_REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
}

/// Runs a program with its output in `log`.
pid_t run(std::vector<std::string> words, const std::string& log) {
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    pid_t pid = 0;
    const int code = posix_spawnp(&pid, arguments[0], &files, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    BOOST_REQUIRE_MESSAGE(code == 0, words[0] + " cannot be started: it is in .ci/packages.txt");
    return pid;
}

class Http2Server {
public:
    Http2Server() {
        int status = 0;
        const auto made = run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                               "-nodes", "-days", "2", "-subj", "/CN=h2.test", "-addext", "subjectAltName=DNS:h2.test",
                               "-keyout", file("key"), "-out", certificate()},
                              file("openssl.log"));
        ::waitpid(made, &status, 0);
        BOOST_REQUIRE(status == 0);
        pid_ = run({"nghttpd", "-v", "--echo-upload", "-a", "127.0.0.1", "-d", folder_.path.string(),
                    std::to_string(port_), file("key"), certificate()},
                   file("nghttpd.log"));
    }
    Http2Server(const Http2Server&) = delete;
    Http2Server& operator=(const Http2Server&) = delete;
    ~Http2Server() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

    std::string certificate() const { return file("cert"); }
    std::string url(const std::string& path) const { return "https://h2.test:" + std::to_string(port_) + path; }
    void freeze() const { ::kill(pid_, SIGSTOP); }
    /// Of its connections, those that it has seen a frame of HTTP/2 on.
    std::size_t connections() const {
        std::ifstream log(file("nghttpd.log"));
        std::size_t count = 0;
        for (std::string line; std::getline(log, line);) {
            const bool acknowledged = line.find("recv SETTINGS frame <length=0,") != std::string::npos;
            if (!acknowledged && line.find("recv SETTINGS") != std::string::npos) ++count;
        }
        return count;
    }

private:
    std::string file(const std::string& name) const { return (folder_.path / name).string(); }
    test::TemporaryFolder folder_;
    int port_ = free_port();
    pid_t pid_ = 0;
};

struct Client {
    explicit Client(const Http2Server& server) : transport(settings(server)) {}
    static CurlSettings settings(const Http2Server& server) {
        CurlSettings settings;
        settings.ca_file = server.certificate();
        settings.lookup = [](const std::string&) -> Result<std::vector<IpAddress>> {
            return std::vector<IpAddress>{*parse_ip("127.0.0.1")};
        };
        return settings;
    }

    /// All at once; waits for all.
    std::vector<Exchange> send(const std::vector<HttpRequest>& requests) {
        std::vector<Exchange> exchanges;
        for (const auto& request : requests)
            transport.send(request, [&](Transport::Finished f) { exchanges.push_back(std::move(f.exchange)); });
        while (exchanges.size() < requests.size()) transport.poll(Transport::kNoEnd);
        return exchanges;
    }
    Exchange send(const HttpRequest& request) { return std::move(send(std::vector{request}).front()); }
    /// As soon as the server has begun to listen.
    Exchange first(const HttpRequest& request) {
        for (int tries = 0; tries < 10'000; ++tries) {
            auto exchange = send(request);
            if (std::holds_alternative<HttpResponse>(exchange)) return exchange;
            transport.poll(5ms);
        }
        return TransportFailure{};
    }

    CurlTransport transport;
};

HttpRequest post(const Http2Server& server, const std::string& body) {
    return {.method = "POST", .url = server.url("/x"), .headers = {{"Content-Type", "text/plain"}}, .body = body};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(http2)

BOOST_AUTO_TEST_CASE(exchanges_share_one_connection_where_http2_is_offered) {
    const Http2Server server;
    Client client(server);
    const auto first = client.first(post(server, "hello"));
    BOOST_REQUIRE(std::holds_alternative<HttpResponse>(first));
    BOOST_TEST(std::get<HttpResponse>(first).status == 200);
    BOOST_TEST(std::get<HttpResponse>(first).body == "hello");
    std::vector<HttpRequest> requests;
    requests.reserve(50);
    for (int i = 0; i < 50; ++i) requests.push_back(post(server, "body " + std::to_string(i)));
    std::set<std::string> bodies;
    for (const auto& exchange : client.send(requests)) {
        BOOST_REQUIRE(std::holds_alternative<HttpResponse>(exchange));
        bodies.insert(std::get<HttpResponse>(exchange).body);
    }
    BOOST_TEST(bodies.size() == 50U);
    BOOST_TEST(server.connections() == 1U);
}

BOOST_AUTO_TEST_CASE(what_was_sent_over_http2_and_not_answered_may_have_arrived) {
    const Http2Server server;
    Client client(server);
    BOOST_REQUIRE(std::holds_alternative<HttpResponse>(client.first(post(server, "hello"))));
    server.freeze();
    auto request = post(server, "lost");
    request.timeout = 2s;
    const auto lost = client.send(request);
    BOOST_REQUIRE(std::holds_alternative<TransportFailure>(lost));
    BOOST_TEST(std::get<TransportFailure>(lost).timed_out);
    BOOST_TEST((std::get<TransportFailure>(lost).reached == TransportFailure::Reached::Unclear));
}

BOOST_AUTO_TEST_SUITE_END()

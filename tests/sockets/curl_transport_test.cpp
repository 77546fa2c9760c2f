#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <future>
#include <mutex>

#include "bridge/deliver/curl_transport.h"
#include "bridge/deliver/outbound_policy.h"
#include "tests/support/raw_server.h"

namespace {

/// A resolver that takes as long as a test wants: libcurl's calls of getaddrinfo come here.
struct SlowNames {
    std::mutex mutex;
    std::condition_variable change;
    bool open = false;
    int asked = 0;

    void ask_and_wait() {
        std::unique_lock lock(mutex);
        ++asked;
        change.notify_all();
        change.wait(lock, [this] { return open; });
    }
    void wait_until_asked() {
        std::unique_lock lock(mutex);
        change.wait(lock, [this] { return asked > 0; });
    }
    void let_go() {
        const std::lock_guard lock(mutex);
        open = true;
        change.notify_all();
    }
};

/// Never destroyed: a lookup that was left behind may end after the tests.
SlowNames& slow_names() {
    static auto* names = new SlowNames;
    return *names;
}

}  // namespace

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found) {
    if (node != nullptr && std::strcmp(node, "slow.test") == 0) {
        slow_names().ask_and_wait();
        return EAI_NONAME;
    }
    using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
    static const auto next = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
    return next(node, service, hints, found);
}

namespace orbridge {
namespace {

using namespace std::chrono_literals;
using test::RawConnection;
using test::RawServer;
using Reached = TransportFailure::Reached;

/// A transport and the thread that drives it.
class Driven {
public:
    explicit Driven(CurlSettings settings = {}) : transport_(std::move(settings)) {}
    ~Driven() {
        thread_.request_stop();
        transport_.wake();
    }

    Transport& operator*() { return transport_; }
    Exchange ask(HttpRequest request) { return exchange(transport_, std::move(request)); }
    HttpResponse answer(HttpRequest request) {
        auto result = ask(std::move(request));
        if (const auto* failure = std::get_if<TransportFailure>(&result)) BOOST_FAIL(failure->reason);
        return std::get<HttpResponse>(result);
    }
    TransportFailure failure(HttpRequest request) {
        auto result = ask(std::move(request));
        if (const auto* response = std::get_if<HttpResponse>(&result))
            BOOST_FAIL("answered " + std::to_string(response->status));
        return std::get<TransportFailure>(result);
    }

private:
    CurlTransport transport_;
    std::jthread thread_{[this](const std::stop_token& stop) {
        while (!stop.stop_requested()) transport_.poll(Transport::kNoEnd);
        transport_.stop();
    }};
};

HttpRequest post_to(const std::string& url, std::string body = "{}") {
    return {.method = "POST", .url = url, .headers = {{"Content-Type", "application/json"}}, .body = std::move(body)};
}

RawServer answering(const std::string& answer) {
    return RawServer([answer](RawConnection& connection) {
        while (!connection.read_request().empty() && connection.send(answer)) {
        }
    });
}

constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Name:  value \r\n\r\nok";

}  // namespace

BOOST_AUTO_TEST_SUITE(curl_transport)

BOOST_AUTO_TEST_CASE(a_post_arrives_as_written_and_its_answer_comes_back) {
    std::promise<std::string> seen;
    RawServer server([&](RawConnection& connection) {
        seen.set_value(connection.read_request());
        connection.send(kOk);
    });
    Driven driven;
    auto request = post_to(server.url("/a?b=c"), R"({"x":1})");
    request.headers.push_back({"X-Empty", ""});
    const auto response = driven.answer(request);
    BOOST_TEST(response.status == 200);
    BOOST_TEST(response.body == "ok");
    BOOST_TEST(!response.body_cut);
    BOOST_TEST(*find_header(response.headers, "x-name") == "value");
    const auto text = seen.get_future().get();
    BOOST_TEST(text.starts_with("POST /a?b=c HTTP/1.1\r\n"), text);
    BOOST_TEST(text.ends_with("\r\n\r\n{\"x\":1}"), text);
    BOOST_TEST(text.find("Content-Type: application/json\r\n") != std::string::npos, text);
    BOOST_TEST(text.find("X-Empty:\r\n") != std::string::npos, text);
    BOOST_TEST(text.find("User-Agent: orbridge/") != std::string::npos, text);
    BOOST_TEST(text.find("Accept-Encoding") == std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(a_large_body_goes_out_whole_and_without_asking_first) {
    std::promise<std::string> seen;
    RawServer server([&](RawConnection& connection) {
        seen.set_value(connection.read_request());
        connection.send(kOk);
    });
    Driven driven;
    BOOST_TEST(driven.answer(post_to(server.url(), std::string(3 << 20, 'x'))).status == 200);
    const auto text = seen.get_future().get();
    BOOST_TEST(text.size() > (3u << 20));
    BOOST_TEST(text.find("Expect") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(each_method_goes_out_after_any_other_on_the_same_handle) {
    RawServer server([](RawConnection& connection) {
        for (;;) {
            const auto request = connection.read_request();
            if (request.empty()) return;
            const auto line = request.substr(0, request.find(' '));
            const bool body = request.ends_with("{}");
            connection.send("HTTP/1.1 200 OK\r\nX-Method: " + line + (body ? "+" : "-") +
                            "\r\nContent-Length: " + (line == "HEAD" ? "7\r\n\r\n" : "0\r\n\r\n"));
        }
    });
    Driven driven;
    const std::string methods[] = {"POST", "HEAD", "GET", "DELETE", "PUT", "GET", "HEAD", "POST", "PATCH"};
    for (const auto& method : methods) {
        auto request = post_to(server.url());
        request.method = method;
        const bool body = method == "POST" || method == "PUT" || method == "PATCH";
        if (!body) request.body.clear();
        BOOST_TEST(*find_header(driven.answer(request).headers, "x-method") == method + (body ? "+" : "-"));
    }
    BOOST_TEST(server.connections() == 1);
}

BOOST_AUTO_TEST_CASE(nothing_is_sent_where_nobody_listens) {
    Driven driven;
    const auto failure = driven.failure(post_to("http://127.0.0.1:" + std::to_string(test::closed_port()) + "/"));
    BOOST_CHECK(failure.reached == Reached::NothingSent);
    BOOST_TEST(!failure.timed_out);
}

BOOST_AUTO_TEST_CASE(a_failure_to_connect_is_told_as_such_also_by_a_handle_that_has_sent_before) {
    auto server = std::make_unique<RawServer>([](RawConnection& connection) {
        connection.read_request();
        connection.send(kOk);
    });
    Driven driven;
    const auto url = server->url();
    BOOST_TEST(driven.answer(post_to(url)).status == 200);
    server.reset();
    BOOST_CHECK(driven.failure(post_to(url)).reached == Reached::NothingSent);
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_speak_tls_has_seen_nothing) {
    RawServer server([](RawConnection& connection) {
        connection.send("HTTP/1.1 400 Bad Request\r\n\r\n");
        connection.wait_for_close();
    });
    Driven driven;
    auto url = server.url();
    url.replace(0, 4, "https");
    BOOST_CHECK(driven.failure(post_to(url)).reached == Reached::NothingSent);
}

BOOST_AUTO_TEST_CASE(requests_that_cannot_be_written_are_refused) {
    Driven driven;
    auto request = post_to("http://127.0.0.1:1/");
    request.headers.push_back({"X-A", "b\r\nX-C: d"});
    BOOST_CHECK(driven.failure(request).reached == Reached::NothingSent);
    BOOST_TEST(driven.failure(request).reason.find("X-C") == std::string::npos);
    BOOST_CHECK(driven.failure(post_to("file:///etc/hostname")).reached == Reached::NothingSent);
    BOOST_CHECK(driven.failure(post_to("http://127.0.0.1:1/\r\nX: y")).reached == Reached::NothingSent);
    BOOST_CHECK(driven.failure(post_to("")).reached == Reached::NothingSent);
}

BOOST_AUTO_TEST_CASE(a_server_that_hangs_costs_its_deadline_and_the_end_is_unclear) {
    RawServer server([](RawConnection& connection) { connection.wait_for_close(); });
    Driven driven;
    auto request = post_to(server.url());
    request.timeout = 1s;  // enough for a busy machine to connect and write
    const auto failure = driven.failure(request);
    BOOST_TEST(failure.timed_out);
    BOOST_CHECK(failure.reached == Reached::Unclear);
}

BOOST_AUTO_TEST_CASE(a_server_that_drips_is_cut_off_at_the_deadline) {
    RawServer server([](RawConnection& connection) {
        connection.read_request();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while (connection.send("x")) std::this_thread::sleep_for(10ms);
    });
    Driven driven;
    auto request = post_to(server.url());
    request.timeout = 1s;
    const auto failure = driven.failure(request);
    BOOST_TEST(failure.timed_out);
    BOOST_CHECK(failure.reached == Reached::Unclear);
}

BOOST_AUTO_TEST_CASE(answers_that_are_none_are_unclear_failures) {
    const std::pair<const char*, const char*> rows[] = {
        {"short body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"},
        {"cut chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"},
        {"garbage", "\x16\x03\x01 this is not HTTP at all\r\n\r\n"},
        {"nothing", ""},
        {"half a header", "HTTP/1.1 200 OK\r\nContent-Le"},
        {"only interim", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"},
    };
    Driven driven;
    for (const auto& [name, text] : rows) {
        RawServer server([&](RawConnection& connection) {
            connection.read_request();
            connection.send(text);
        });
        const auto failure = driven.failure(post_to(server.url()));
        BOOST_TEST(!failure.timed_out, name);
        BOOST_TEST((failure.reached == Reached::Unclear), name);
        BOOST_TEST(!failure.reason.empty(), name);
    }
}

BOOST_AUTO_TEST_CASE(a_reset_in_the_middle_of_an_answer_is_unclear) {
    RawServer server([](RawConnection& connection) {
        connection.read_request();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        connection.reset();
    });
    Driven driven;
    BOOST_CHECK(driven.failure(post_to(server.url())).reached == Reached::Unclear);
}

BOOST_AUTO_TEST_CASE(an_endless_body_is_kept_up_to_the_limit_and_then_hung_up_on) {
    std::promise<void> hung_up;
    RawServer server([&](RawConnection& connection) {
        connection.read_request();
        connection.send("HTTP/1.1 200 OK\r\n\r\n");
        while (connection.send(std::string(8192, 'y'))) {
        }
        hung_up.set_value();
    });
    Driven driven;
    auto request = post_to(server.url());
    request.answer_bytes_max = 1000;
    const auto response = driven.answer(request);
    BOOST_TEST(response.status == 200);
    BOOST_TEST(response.body.size() == 1000u);
    BOOST_TEST(response.body_cut);
    hung_up.get_future().get();
}

BOOST_AUTO_TEST_CASE(a_body_of_exactly_the_limit_is_not_cut) {
    auto server = answering("HTTP/1.1 500 X\r\nContent-Length: 4\r\n\r\nfour");
    Driven driven;
    auto request = post_to(server.url());
    request.answer_bytes_max = 4;
    const auto response = driven.answer(request);
    BOOST_TEST(response.status == 500);
    BOOST_TEST(response.body == "four");
    BOOST_TEST(!response.body_cut);
}

BOOST_AUTO_TEST_CASE(endless_headers_end_the_exchange) {
    for (const char* line : {"X-Filler: ................................\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n"}) {
        RawServer server([&](RawConnection& connection) {
            connection.read_request();
            connection.send("HTTP/1.1 103 OK\r\n");
            while (connection.send(line)) {
            }
        });
        Driven driven;
        const auto failure = driven.failure(post_to(server.url()));
        BOOST_TEST(!failure.timed_out);
        BOOST_CHECK(failure.reached == Reached::Unclear);
    }
}

BOOST_AUTO_TEST_CASE(an_interim_answer_is_not_the_answer) {
    auto server = answering(std::string("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n") + kOk);
    Driven driven;
    for (int i = 0; i < 2; ++i) {
        const auto response = driven.answer(post_to(server.url()));
        BOOST_TEST(response.status == 200);
        BOOST_TEST(find_header(response.headers, "link") == nullptr);
    }
    BOOST_TEST(server.connections() == 1);
}

BOOST_AUTO_TEST_CASE(a_compressed_answer_is_left_as_it_is) {
    auto server = answering("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x01");
    Driven driven;
    BOOST_TEST(driven.answer(post_to(server.url())).body == "\x1f\x8b\x08\x01");
}

BOOST_AUTO_TEST_CASE(redirects_are_answers_and_are_not_followed) {
    auto server = answering("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
    Driven driven;
    BOOST_TEST(driven.answer(post_to(server.url())).status == 302);
    BOOST_TEST(server.connections() == 1);
}

BOOST_AUTO_TEST_CASE(a_server_that_answers_before_it_has_read_the_body_is_heard) {
    RawServer server([](RawConnection& connection) {
        connection.send("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
        connection.wait_for_close();
    });
    Driven driven;
    BOOST_TEST(driven.answer(post_to(server.url(), std::string(8 << 20, 'x'))).status == 413);
}

BOOST_AUTO_TEST_CASE(an_idle_connection_that_the_server_has_closed_fails_nothing) {
    RawServer server([](RawConnection& connection) {
        connection.read_request();
        connection.send(kOk);  // and closes, although it had promised to keep the connection
    });
    Driven driven;
    for (int i = 0; i < 20; ++i) BOOST_TEST(driven.answer(post_to(server.url())).status == 200);
}

BOOST_AUTO_TEST_CASE(connections_are_used_again) {
    auto server = answering(kOk);
    Driven driven;
    for (int i = 0; i < 20; ++i) BOOST_TEST(driven.answer(post_to(server.url())).status == 200);
    BOOST_TEST(server.connections() == 1);
}

BOOST_AUTO_TEST_CASE(a_proxy_in_the_environment_is_ignored) {
    ::setenv("http_proxy", "http://127.0.0.1:1/", 1);
    auto server = answering(kOk);
    Driven driven;
    BOOST_TEST(driven.answer(post_to(server.url())).status == 200);
    ::unsetenv("http_proxy");
}

BOOST_AUTO_TEST_CASE(an_address_that_is_refused_is_not_connected_to) {
    auto server = answering(kOk);
    Driven driven;
    auto request = post_to("http://localhost" + server.url().substr(std::string("http://127.0.0.1").size()));
    std::vector<std::string> asked;
    request.may_connect = [&](const std::string& address) -> Status {
        asked.push_back(address);
        return Error{Error::Kind::Invalid, "not there"};
    };
    const auto failure = driven.failure(std::move(request));
    BOOST_TEST(failure.reason == "not there");
    BOOST_TEST((failure.reached == Reached::NothingSent));
    BOOST_TEST(std::count(asked.begin(), asked.end(), "127.0.0.1") == 1);
    BOOST_TEST(server.connections() == 0);
}

BOOST_AUTO_TEST_CASE(a_connection_left_open_by_others_is_no_way_around_the_rule) {
    auto server = answering(kOk);
    Driven driven;
    driven.answer(post_to(server.url()));
    auto request = post_to(server.url());
    request.may_connect = [](const std::string&) -> Status { return Error{Error::Kind::Invalid, "not there"}; };
    const auto failure = driven.failure(std::move(request));
    BOOST_TEST(failure.reason == "not there");
    BOOST_TEST((failure.reached == Reached::NothingSent));
    BOOST_TEST(server.connections() == 1);
}

BOOST_AUTO_TEST_CASE(an_address_that_is_allowed_is_connected_to) {
    auto server = answering(kOk);
    Driven driven;
    auto request = post_to(server.url());
    request.may_connect = [](const std::string& address) -> Status {
        if (address == "127.0.0.1") return Ok{};
        return Error{Error::Kind::Invalid, "elsewhere"};
    };
    BOOST_TEST(driven.answer(request).status == 200);
    BOOST_TEST(driven.answer(request).status == 200);
    BOOST_TEST(server.connections() == 1);
}

BOOST_AUTO_TEST_CASE(a_slow_lookup_delays_nobody_else_and_ends_at_its_own_deadline) {
    auto server = answering(kOk);
    Driven driven;
    std::promise<Exchange> slow;
    auto request = post_to("http://slow.test/");
    request.timeout = 500ms;
    (*driven).send(request, [&](Transport::Finished finished) { slow.set_value(std::move(finished.exchange)); });
    slow_names().wait_until_asked();
    for (int i = 0; i < 20; ++i) BOOST_TEST(driven.answer(post_to(server.url())).status == 200);
    const auto ended = slow.get_future().get();
    BOOST_TEST(driven.answer(post_to(server.url())).status == 200);
    slow_names().let_go();
    BOOST_CHECK(std::get<TransportFailure>(ended).reached == Reached::NothingSent);
    BOOST_TEST(std::get<TransportFailure>(ended).timed_out);
}

BOOST_AUTO_TEST_CASE(a_stop_ends_what_is_under_way_and_says_how_far_it_got) {
    std::promise<void> read;
    RawServer server([&](RawConnection& connection) {
        connection.read_request();
        read.set_value();
        connection.wait_for_close();
    });
    CurlTransport transport;
    std::optional<Exchange> under_way;
    std::optional<Exchange> waiting;
    transport.send(post_to(server.url()), [&](Transport::Finished f) { under_way = std::move(f.exchange); });
    auto is_read = read.get_future();
    while (is_read.wait_for(0ms) != std::future_status::ready) transport.poll(1ms);
    transport.send(post_to(server.url()), [&](Transport::Finished f) { waiting = std::move(f.exchange); });
    transport.stop();
    BOOST_CHECK(std::get<TransportFailure>(*under_way).reached == Reached::Unclear);
    BOOST_CHECK(std::get<TransportFailure>(*waiting).reached == Reached::NothingSent);
    std::optional<Exchange> late;
    transport.send(post_to(server.url()), [&](Transport::Finished f) { late = std::move(f.exchange); });
    BOOST_CHECK(std::get<TransportFailure>(*late).reached == Reached::NothingSent);
}

BOOST_AUTO_TEST_CASE(a_transport_without_work_sleeps) {
    auto server = answering(kOk);
    CurlTransport transport;
    bool ended = false;
    transport.send(post_to(server.url()), [&](const Transport::Finished&) { ended = true; });
    while (!ended) transport.poll(Transport::kNoEnd);
    const auto before = transport.wakeups();
    std::jthread waker([&] {
        std::this_thread::sleep_for(300ms);  // the span that is watched, not a wait for something to be done
        transport.wake();
    });
    const auto started = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - started < 250ms) transport.poll(Transport::kNoEnd);
    BOOST_TEST(transport.wakeups() - before <= 2u);
}

BOOST_AUTO_TEST_CASE(waking_before_the_wait_ends_it_at_once) {
    CurlTransport transport;
    transport.wake();
    transport.poll(Transport::kNoEnd);
    BOOST_TEST(transport.wakeups() == 1u);
}

BOOST_AUTO_TEST_CASE(many_exchanges_run_at_once) {
    auto server = answering(kOk);
    Driven driven;
    std::atomic<int> left = 200;
    std::promise<void> all;
    for (int i = 0; i < 200; ++i)
        (*driven).send(post_to(server.url()), [&](Transport::Finished finished) {
            BOOST_TEST(std::get<HttpResponse>(finished.exchange).status == 200);
            if (--left == 0) all.set_value();
        });
    all.get_future().get();
}

/// Takes connections, and never looks at them.
class Silent {
public:
    Silent() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        socklen_t size = sizeof address;
        BOOST_REQUIRE(::bind(listener_, generic, size) == 0 && ::listen(listener_, 1024) == 0);
        BOOST_REQUIRE(::getsockname(listener_, generic, &size) == 0);
        url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
    }
    Silent(const Silent&) = delete;
    Silent& operator=(const Silent&) = delete;
    ~Silent() { ::close(listener_); }
    const std::string& url() const { return url_; }

private:
    int listener_;
    std::string url_;
};

BOOST_AUTO_TEST_CASE(among_hundreds_that_hang_connections_are_kept_and_all_are_ended_by_a_stop) {
    const Silent silent;
    auto server = answering(kOk);
    CurlTransport transport;
    const auto status = [&] {
        std::optional<Exchange> answer;
        transport.send(post_to(server.url()), [&](Transport::Finished f) { answer = std::move(f.exchange); });
        while (!answer) transport.poll(1s);
        return std::get<HttpResponse>(*answer).status;
    };
    int ended = 0;
    const auto hang = [&](int count) {
        for (int i = 0; i < count; ++i) {
            auto request = post_to(silent.url());
            request.timeout = request.connect_timeout = 10min;
            transport.send(std::move(request), [&](const Transport::Finished& finished) {
                BOOST_TEST(std::holds_alternative<TransportFailure>(finished.exchange));
                ++ended;
            });
        }
    };
    hang(600);
    for (int i = 0; i < 5; ++i) BOOST_TEST(status() == 200);
    BOOST_TEST(server.connections() == 1);
    transport.stop();
    BOOST_TEST(ended == 600);
}

/// Every name is 127.0.0.1 but those of `.hangs`, which take until slow_names() are let go; those are let go by the
/// test of a lookup that hangs, so this has a gate of its own.
struct Names {
    std::mutex mutex;
    std::condition_variable change;
    bool open = false;
    int hanging = 0;

    Result<std::vector<IpAddress>> look_up(const std::string& host) {
        std::unique_lock lock(mutex);
        if (host.ends_with(".hangs")) {
            ++hanging;
            change.notify_all();
            change.wait(lock, [this] { return open; });
            return Error{Error::Kind::Unavailable, "cannot resolve " + host};
        }
        return std::vector<IpAddress>{*parse_ip("127.0.0.1")};
    }
    /// How many have hung so far.
    int let_go() {
        const std::lock_guard lock(mutex);
        open = true;
        change.notify_all();
        return hanging;
    }
};

CurlSettings with_names(const std::shared_ptr<Names>& names) {
    CurlSettings settings;
    settings.lookup = [names](const std::string& host) { return names->look_up(host); };
    return settings;
}

std::string at_name(const std::string& name, const RawServer& server) {
    return "http://" + name + server.url().substr(std::string("http://127.0.0.1").size());
}

BOOST_AUTO_TEST_CASE(what_a_name_was_found_to_be_is_judged_and_connected_to) {
    auto server = answering(kOk);
    const auto names = std::make_shared<Names>();
    Driven driven(with_names(names));
    BOOST_TEST(driven.answer(post_to(at_name("a.test", server))).status == 200);
    auto request = post_to(at_name("b.test", server));
    std::string asked;
    request.may_connect = [&](const std::string& address) -> Status {
        asked = address;
        return Error{Error::Kind::Invalid, "not there"};
    };
    BOOST_TEST(driven.failure(std::move(request)).reason == "not there");
    BOOST_TEST(asked == "127.0.0.1");
}

BOOST_AUTO_TEST_CASE(I12_a_name_that_comes_to_mean_another_address_is_judged_anew) {
    auto server = answering(kOk);
    const auto policy = OutboundPolicy::make({"127.0.0.2"}).value();
    const auto lookups = std::make_shared<std::atomic<int>>(0);
    CurlSettings settings;
    settings.names.fresh = settings.names.stale = 0ms;
    settings.lookup = [lookups](const std::string&) {
        return std::vector<IpAddress>{*parse_ip(lookups->fetch_add(1) == 0 ? "127.0.0.2" : "127.0.0.1")};
    };
    Driven driven(settings);
    const auto ask = [&] {
        auto request = post_to(at_name("rebinds.test", server));
        const auto url = policy.judge_url(request.url);
        BOOST_REQUIRE(url);
        request.may_connect = [&policy, url = *url](const std::string& address) {
            return policy.judge_address(url, *parse_ip(address));
        };
        return driven.failure(std::move(request));
    };
    BOOST_TEST(ask().reason.find("allow list") == std::string::npos);  // allowed, and nobody is there
    const auto second = ask();
    BOOST_TEST(second.reason.find("127.0.0.1, ") != std::string::npos, second.reason);
    BOOST_TEST(second.reason.find("that the allow list does not have") != std::string::npos, second.reason);
    BOOST_TEST((second.reached == Reached::NothingSent));
    BOOST_TEST(lookups->load() == 2);
    BOOST_TEST(server.connections() == 0);
}

BOOST_AUTO_TEST_CASE(a_thousand_names_that_hang_delay_no_other) {
    auto server = answering(kOk);
    const auto names = std::make_shared<Names>();
    auto settings = with_names(names);
    settings.names = {.threads_max = 4, .fresh = 0ms};
    CurlTransport transport(settings);
    const auto answered = [&](const std::string& url) {
        std::optional<Exchange> result;
        transport.send(post_to(url), [&](Transport::Finished f) { result = std::move(f.exchange); });
        while (!result) transport.poll(Transport::kNoEnd);
        const auto* response = std::get_if<HttpResponse>(&*result);
        return response != nullptr && response->status == 200;
    };
    BOOST_TEST(answered(at_name("known.test", server)));
    int failed = 0;
    for (int i = 0; i < 1'000; ++i) {
        auto request = post_to("http://" + std::to_string(i) + ".hangs/");
        request.connect_timeout = request.timeout = 60s;
        transport.send(std::move(request), [&](const Transport::Finished& f) {
            const auto& failure = std::get<TransportFailure>(f.exchange);
            failed += failure.reached == Reached::NothingSent ? 1 : 0;
        });
    }
    for (int i = 0; i < 20; ++i) BOOST_TEST(answered(at_name("known.test", server)));
    BOOST_TEST(answered(server.url()));
    BOOST_TEST(failed == 0);
    transport.stop();
    BOOST_TEST(failed == 1'000);
    BOOST_TEST(names->let_go() <= 4);
}

BOOST_AUTO_TEST_CASE(a_name_that_hangs_ends_with_the_time_for_connecting) {
    const auto names = std::make_shared<Names>();
    Driven driven(with_names(names));
    auto request = post_to("http://a.hangs/");
    request.connect_timeout = 50ms;
    const auto failure = driven.failure(std::move(request));
    BOOST_TEST(failure.timed_out);
    BOOST_TEST((failure.reached == Reached::NothingSent));
    BOOST_TEST(failure.reason == "cannot resolve a.hangs: no answer in time");
    names->let_go();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge

/// Deliveries per second to one target at its cap of 10, all in one process
/// with an epoll sink:
///   libcurl     a bare multi loop that keeps 10 exchanges going: the reference
///   transport   CurlTransport with 10 exchanges kept going
///   dispatcher  dispatcher, recorder, Windmill recipe and transport over a
///   store that is a queue in memory durable     the same over SQLite
///     bench_deliver [rounds=3] [deliveries=20000] [way]
#include <arpa/inet.h>
#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <thread>
#include <unordered_map>

#include "adapters/windmill/recipe.h"
#include "bridge/core/guarded.h"
#include "bridge/deliver/curl_transport.h"
#include "bridge/deliver/dispatcher.h"
#include "bridge/run/worker.h"
#include "bridge/store/open.h"
#include "tests/bench/load.h"
#include "tests/support/delivery_fakes.h"

namespace {

using namespace orbridge;
using Steady = std::chrono::steady_clock;

constexpr int kCap = 10;
const TargetId kTarget{"bench"};

// ---- the other side
// -------------------------------------------------------------------------------

/// Answers every request with a job id, as fast as it can.
class Sink {
public:
    Sink() : listener_(::socket(AF_INET, SOCK_STREAM, 0)), epoll_(epoll_create1(0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        auto* any = reinterpret_cast<sockaddr*>(&address);
        if (::bind(listener_, any, length) != 0 || ::listen(listener_, 128) != 0) std::abort();
        ::getsockname(listener_, any, &length);
        port_ = ntohs(address.sin_port);
        watch(listener_);
        thread_ = std::jthread([this](const std::stop_token& stop) {
            while (!stop.stop_requested()) serve();
        });
    }
    std::string url() const {
        return "http://127.0.0.1:" + std::to_string(port_) + "/api/w/main/jobs/run/p/f/bench/on_object";
    }

private:
    void watch(int fd) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = fd;
        epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }
    void serve() {
        std::array<epoll_event, 64> events{};
        const int count = epoll_wait(epoll_, events.data(), 64, 50);
        for (int i = 0; i < count; ++i) {
            const int fd = events.at(static_cast<std::size_t>(i)).data.fd;
            if (fd == listener_) {
                watch(::accept(listener_, nullptr, nullptr));
            } else {
                read(fd);
            }
        }
    }
    void read(int fd) {
        std::array<char, 65536> bytes{};
        const auto got = ::recv(fd, bytes.data(), bytes.size(), 0);
        if (got <= 0) {
            ::close(fd);
            return;
        }
        auto& buffer = buffers_[fd].append(bytes.data(), static_cast<std::size_t>(got));
        while (take_request(buffer)) {
            constexpr std::string_view kAnswer =
                "HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: "
                "36\r\n\r\n"
                "0190d3e2-6f4b-7a00-8000-000000000001";
            [[maybe_unused]] const auto sent = ::send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
        }
    }
    static bool take_request(std::string& buffer) {
        const auto end = buffer.find("\r\n\r\n");
        if (end == std::string::npos) return false;
        const auto at = buffer.find("Content-Length: ");
        const auto whole = end + 4 + (at < end ? std::stoul(buffer.substr(at + 16, 12)) : 0);
        if (buffer.size() < whole) return false;
        buffer.erase(0, whole);
        return true;
    }

    int listener_;
    int epoll_;
    int port_ = 0;
    std::unordered_map<int, std::string> buffers_;
    std::jthread thread_;
};

// ---- what is sent
// ---------------------------------------------------------------------------------

Event an_event() {
    Event event;
    event.source = {"cloud"};
    event.event_class = "OCA\\OpenRegister\\Event\\ObjectUpdatedEvent";
    event.channel = "Object";
    event.event_name = "updated:zaken:aanvraag:7f";
    event.payload = R"({"object":{"uuid":"7f","data":{"text":")" + std::string(800, 'x') + R"("}}})";
    return event;
}

std::string an_id(int number) {
    std::array<char, 40> id{};
    std::snprintf(id.data(), id.size(), "0190d3e2-6f4b-7a00-8000-%012d", number);
    return id.data();
}

windmill::WindmillRecipe a_recipe(const std::string& url) {
    windmill::WindmillSettings settings;
    settings.runnable = *windmill::parse_run_url(url);
    settings.token = Secret("t0ken");
    return windmill::WindmillRecipe(std::move(settings));
}

/// What matters when others use the machine as well: time on the clock, and on the processor.
struct Cost {
    double per_second = 0;
    double cpu_us = 0;  ///< of the whole process, the sink's included
};

class Meter {
public:
    Cost cost(int count) const {
        return {count / std::chrono::duration<double>(Steady::now() - started_).count(), (cpu_us() - cpu_) / count};
    }

private:
    static double cpu_us() {
        rusage usage{};
        getrusage(RUSAGE_SELF, &usage);
        const auto us = [](const timeval& t) {
            return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
        };
        return us(usage.ru_utime) + us(usage.ru_stime);
    }
    Steady::time_point started_ = Steady::now();
    double cpu_ = cpu_us();
};

// ---- the ways
// -------------------------------------------------------------------------------------

/// The reference is what one would write first: curl_multi_poll, handles used
/// again.
class Bare {
public:
    Bare(std::string url, std::string body) : url_(std::move(url)), body_(std::move(body)) {
        headers_ = curl_slist_append(headers_, "Content-Type: application/json");
        headers_ = curl_slist_append(headers_, "Authorization: Bearer t0ken");
        headers_ = curl_slist_append(headers_, "Expect:");
    }
    Bare(const Bare&) = delete;
    Bare& operator=(const Bare&) = delete;
    ~Bare() {
        curl_multi_cleanup(multi_);
        curl_slist_free_all(headers_);
    }

    Cost run(int count) {
        const Meter meter;
        int begun = 0;
        for (; begun < kCap; ++begun) curl_multi_add_handle(multi_, make());
        for (int ended = 0, running = 0; ended < count;) {
            curl_multi_perform(multi_, &running);
            int left = 0;
            while (const auto* message = curl_multi_info_read(multi_, &left)) {
                ++ended;
                auto* easy = message->easy_handle;
                curl_multi_remove_handle(multi_, easy);
                if (begun++ < count) curl_multi_add_handle(multi_, easy);
            }
            if (ended < count) curl_multi_poll(multi_, nullptr, 0, 1000, nullptr);
        }
        return meter.cost(count);
    }

private:
    static std::size_t ignore(char*, std::size_t size, std::size_t count, void*) { return size * count; }
    CURL* make() {
        auto* easy = curl_easy_init();
        curl_easy_setopt(easy, CURLOPT_URL, url_.c_str());
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body_.size()));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body_.c_str());
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Bare::ignore);
        return easy;
    }

    std::string url_, body_;
    curl_slist* headers_ = nullptr;
    CURLM* multi_ = curl_multi_init();
};

Cost run_transport(const std::string& url, int count) {
    CurlTransport transport;
    const auto recipe = a_recipe(url);
    Delivery delivery{.id = {an_id(1)}, .target = kTarget, .event = an_event()};
    int begun = 0;
    int ended = 0;
    const std::function<void()> send = [&] {
        if (begun++ >= count) return;
        transport.send(*recipe.request_for(delivery, "r"), [&](const Transport::Finished&) {
            ++ended;
            send();
        });
    };
    const Meter meter;
    for (int i = 0; i < kCap; ++i) send();
    while (ended < count) transport.poll(Transport::kNoEnd);
    return meter.cost(count);
}

/// Delivers what the store has for the target, with all the parts and threads
/// of the daemon.
Cost run_dispatcher(Store& store, const std::string& url, int count) {
    const SystemClock clock;
    SystemRandom random;
    Log log(clock, Log::Level::Info, to_nowhere());
    CurlTransport transport;
    Recorder recorder(store, clock, log);
    std::atomic<int> left = count;
    std::atomic<bool> done = false;
    recorder.when_recorded([&](const Settle&) {
        if (--left == 0) {
            done = true;
            done.notify_all();
        }
    });
    Dispatcher dispatcher(store, transport, recorder, clock, random, log);
    std::unique_ptr<Worker> worker;
    recorder.when_work([&] { worker->wake(); });
    worker = std::make_unique<Worker>([&] { return recorder.step(); });
    const Meter meter;
    dispatcher.set_targets({{.id = kTarget, .recipe = std::make_shared<windmill::WindmillRecipe>(a_recipe(url))}});
    const std::jthread thread([&](const std::stop_token& stop) { dispatcher.run(stop); });
    done.wait(false);
    return meter.cost(count);
}

/// Hands out the same event again and again, and forgets what comes of it.
class EndlessStore final : public test::DeliveryStore {
public:
    Result<ClaimBatch> claim(const TargetId&, TimePoint now, milliseconds hold, int limit) override {
        ClaimBatch batch;
        batch.next_due = TimePoint{};
        for (int i = 0; i < limit; ++i) {
            const int number = ++last_;
            Delivery delivery{.id = {an_id(number)}, .target = kTarget, .event = event_};
            batch.claims.push_back({std::move(delivery), "r", static_cast<std::uint64_t>(number), now + hold});
        }
        return batch;
    }
    Result<std::vector<bool>> settle(const std::vector<Settle>& settles, TimePoint) override {
        return std::vector<bool>(settles.size(), true);
    }

private:
    const Event event_ = an_event();
    int last_ = 0;
};

Cost run_memory(const std::string& url, int count) {
    EndlessStore store;
    return run_dispatcher(store, url, count);
}

void fill(Store& store, const Clock& clock, int count) {
    constexpr int kThreads = 64;  // they share commits
    std::atomic<int> next = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i)
        threads.emplace_back([&] {
            for (int number = next++; number < count; number = next++) {
                NewEvent event{
                    .event = an_event(), .dedup_key = std::to_string(number), .twin_key = {}, .deliveries = {}};
                event.event.id = {an_id(number)};
                event.event.subject = "object:" + std::to_string(number);
                event.event.received_at = clock.now();
                event.deliveries.push_back({.id = {an_id(number)},
                                            .target = kTarget,
                                            .route = "r",
                                            .order_key = event.event.subject,
                                            .due_at = clock.now()});
                if (!store.accept(event)) std::abort();
            }
        });
}

Cost run_durable(const std::string& url, int count) {
    const SystemClock clock;
    Log log(clock, Log::Level::Error, to_standard_error());
    auto folder = (std::filesystem::temp_directory_path() / "bench_deliver_XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) std::abort();
    Cost result;
    {
        StoreSettings settings;
        settings.path = folder + "/bench.db";
        const auto store = open_store(settings, clock, log);
        if (!store) std::abort();
        fill(**store, clock, count);
        result = run_dispatcher(**store, url, count);
    }
    std::filesystem::remove_all(folder);
    return result;
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 3;
    const int count = argc > 2 ? std::atoi(argv[2]) : 20'000;
    const std::string only = argc > 3 ? argv[3] : "";
    const Sink sink;
    const auto url = sink.url();
    const auto body = a_recipe(url).request_for({.id = {an_id(0)}, .target = kTarget, .event = an_event()}, "r")->body;
    const std::pair<const char*, std::function<Cost()>> ways[] = {
        {"libcurl", [&] { return Bare(url + "?job_id=" + an_id(0), body).run(count); }},
        {"transport", [&] { return run_transport(url, count); }},
        {"dispatcher", [&] { return run_memory(url, count); }},
        {"durable", [&] { return run_durable(url, count); }},
    };
    std::map<std::string, std::vector<double>> rates;
    std::map<std::string, std::vector<double>> cpu;
    for (int round = 0; round < rounds; ++round)
        for (const auto& [name, run] : ways) {
            if (!only.empty() && only != name) continue;
            const auto cost = run();
            rates[name].push_back(cost.per_second);
            cpu[name].push_back(cost.cpu_us);
        }
    std::printf("one target, cap %d, body of %zu bytes, %d deliveries, median of %d\n", kCap, body.size(), count,
                rounds);
    const double reference = rates.count("libcurl") != 0 ? bench::median(rates["libcurl"]) : 0;
    for (const auto& [name, run] : ways) {
        if (rates.count(name) == 0) continue;
        const double median = bench::median(rates[name]);
        std::printf("%-11s %8.0f/s  %.2f of libcurl  %5.1f us CPU each\n", name, median,
                    reference > 0 ? median / reference : 0.0, bench::median(cpu[name]));
    }
}

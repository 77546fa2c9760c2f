#include "bridge/deliver/curl_transport.h"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bridge/core/guarded.h"
#include "bridge/deliver/curl_easy.h"

namespace orbridge {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr int kEventsMax = 64;
constexpr std::size_t kSpareMax = 256;     // handles kept for reuse
constexpr std::size_t kOfAMultiMax = 256;  // exchanges

/// An epoll instance and an eventfd in it that ends a wait from any thread. A socket that is wanted no longer stays in
/// it, for mostly it is wanted again for the next exchange on its connection.
class Poller {
public:
    Poller() : epoll_(epoll_create1(EPOLL_CLOEXEC)), bell_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        if (epoll_ < 0 || bell_ < 0) std::abort();  // out of descriptors before anything has begun
        want(bell_, EPOLLIN);
    }
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;
    ~Poller() {
        ::close(bell_);
        ::close(epoll_);
    }

    /// `whose`: what owner() tells of it.
    void want(int fd, std::uint32_t what, void* whose = nullptr) {
        auto& place = place_of(fd);
        place.whose = whose;
        if (!place.in || place.what != what) control(place.in ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, what);
        place.in = place.wanted = true;
        place.what = what;
    }
    void* owner(int fd) { return place_of(fd).whose; }
    void park(int fd) {
        auto& place = place_of(fd);
        place.wanted = false;
        if (!std::exchange(place.listed, true)) parked_.push_back(fd);
    }
    /// Before a long sleep: those that are wanted no longer must not end it.
    void forget_parked() {
        for (const int fd : std::exchange(parked_, {})) {
            place_of(fd).listed = false;
            (void)wanted(fd);
        }
    }
    /// Something happened to it. False: nobody wants to know, and it is not told again.
    bool wanted(int fd) {
        auto& place = place_of(fd);
        if (place.in && !place.wanted) {
            epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
            place.in = false;
        }
        return place.wanted;
    }
    void close(int fd) {
        auto& place = place_of(fd);
        place.in = place.wanted = false;
        ::close(fd);  // which takes it out
    }

    void ring() {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(bell_, &one, sizeof one);  // full: it rings already
    }
    bool answer(int fd) {
        if (fd != bell_) return false;
        std::uint64_t count = 0;
        [[maybe_unused]] const auto read = ::read(bell_, &count, sizeof count);
        return true;
    }

    int wait(std::array<epoll_event, kEventsMax>& events, int timeout_ms) {
        return epoll_wait(epoll_, events.data(), kEventsMax, timeout_ms);
    }

private:
    struct Place {
        bool in = false, wanted = false;
        bool listed = false;  ///< in parked_
        std::uint32_t what = 0;
        void* whose = nullptr;
    };

    Place& place_of(int fd) {
        const auto index = static_cast<std::size_t>(fd);
        if (index >= places_.size()) places_.resize(index + 1);
        return places_[index];
    }

    void control(int operation, int fd, std::uint32_t what) {
        epoll_event event{};
        event.events = what;
        event.data.fd = fd;
        const bool gone = epoll_ctl(epoll_, operation, fd, &event) != 0 && operation == EPOLL_CTL_MOD;
        if (gone) epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);  // closed without our being told
    }

    int epoll_;
    int bell_;
    std::vector<Place> places_;  ///< by socket
    std::vector<int> parked_;    ///< some of them are wanted again, or closed
};

std::uint32_t epoll_events(int what) {
    std::uint32_t events = 0;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) events |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) events |= EPOLLOUT;
    return events;
}

int curl_events(std::uint32_t events) {
    int what = 0;
    if ((events & (EPOLLIN | EPOLLHUP)) != 0) what |= CURL_CSELECT_IN;
    if ((events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
    if ((events & EPOLLERR) != 0) what |= CURL_CSELECT_ERR;
    return what;
}

/// libcurl counts its users, so each transport holds a share of it.
struct CurlLibrary {
    CurlLibrary() { curl_global_init(CURL_GLOBAL_DEFAULT); }
    CurlLibrary(const CurlLibrary&) = delete;
    CurlLibrary& operator=(const CurlLibrary&) = delete;
    ~CurlLibrary() { curl_global_cleanup(); }
};

}  // namespace

class CurlTransport::Loop {
public:
    explicit Loop(CurlSettings settings)
        : settings_(std::move(settings)), resolver_(settings_.lookup, settings_.names, [this] {
              answered_ = true;
              wake();
          }) {
        multis_.push_back(std::make_unique<Multi>(poller_, settings_.idle_connections_max));
    }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    ~Loop() {
        stop();
        spare_.clear();
    }

    void send(HttpRequest request, Done done) {
        const auto added = inbox_.with([&](Inbox& inbox) {
            if (inbox.closed) return false;
            inbox.waiting.push_back({std::move(request), std::move(done)});
            return true;
        });
        if (!added) return done({TransportFailure{TransportFailure::Reached::NothingSent, false, "stopped"}, {}});
        ring();
    }

    void poll(milliseconds wait_max) {
        start_waiting();
        std::array<epoll_event, kEventsMax> events{};
        const int count = wait(events, finish_ended() ? milliseconds{0} : wait_max);
        run_timer();
        start_resolved();
        for (int i = 0; i < count; ++i) {
            const auto& event = events.at(static_cast<std::size_t>(i));
            if (poller_.answer(event.data.fd) || !poller_.wanted(event.data.fd)) continue;
            static_cast<Multi*>(poller_.owner(event.data.fd))->run(event.data.fd, curl_events(event.events));
        }
        start_waiting();
        finish_ended();
        drop_unused();
    }

    void wake() {
        woken_ = true;
        ring();
    }

    void stop() {
        auto unsent = inbox_.with([](Inbox& inbox) {
            inbox.closed = true;
            return std::exchange(inbox.waiting, {});
        });
        while (!active_.empty()) {
            auto* easy = active_.begin()->first;
            const auto failure = easy->abandoned("stopped");
            finish(easy, failure);
        }
        while (!resolving_.empty()) give_up(resolving_.begin(), "stopped", false);
        for (auto& [request, done] : unsent)
            done({TransportFailure{TransportFailure::Reached::NothingSent, false, "stopped"}, {}});
    }

    std::size_t wakeups() const { return wakeups_; }

private:
    /// One of libcurl's, which walks through all its connections to a host to find one that is idle.
    class Multi {
    public:
        Multi(Poller& poller, int idle_connections_max) : poller_(poller), handle_(curl_multi_init()) {
            if (handle_ == nullptr) std::abort();  // out of memory
            curl_multi_setopt(handle_, CURLMOPT_SOCKETFUNCTION, &Multi::on_socket);
            curl_multi_setopt(handle_, CURLMOPT_SOCKETDATA, this);
            curl_multi_setopt(handle_, CURLMOPT_TIMERFUNCTION, &Multi::on_timer);
            curl_multi_setopt(handle_, CURLMOPT_TIMERDATA, this);
            curl_multi_setopt(handle_, CURLMOPT_MAXCONNECTS, long{idle_connections_max});
        }
        Multi(const Multi&) = delete;
        Multi& operator=(const Multi&) = delete;
        /// Closing the idle connections calls on_socket, which needs the poller.
        ~Multi() { curl_multi_cleanup(handle_); }

        CURLMcode add(const CurlEasy& easy) {
            const auto code = curl_multi_add_handle(handle_, easy.handle());
            if (code == CURLM_OK) ++active_;
            return code;
        }
        void remove(const CurlEasy& easy) {
            curl_multi_remove_handle(handle_, easy.handle());
            --active_;
        }
        std::size_t active() const { return active_; }
        const std::optional<SteadyTime>& timer() const { return timer_; }
        void run_timer(SteadyTime now) {
            if (!timer_ || *timer_ > now) return;
            timer_.reset();
            run(CURL_SOCKET_TIMEOUT, 0);
        }
        void run(curl_socket_t fd, int what) {
            int running = 0;
            curl_multi_socket_action(handle_, fd, what, &running);
        }
        /// An exchange that has ended and is not removed yet.
        std::optional<std::pair<CurlEasy*, CURLcode>> ended() {
            int left = 0;
            while (const auto* message = curl_multi_info_read(handle_, &left)) {
                if (message->msg != CURLMSG_DONE) continue;
                CurlEasy* easy = nullptr;
                const auto code = message->data.result;
                curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &easy);
                return std::pair{easy, code};
            }
            return std::nullopt;
        }

    private:
        static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
            auto& poller = static_cast<Multi*>(self)->poller_;
            if (what == CURL_POLL_REMOVE) {
                poller.park(fd);
            } else {
                poller.want(fd, epoll_events(what), self);
            }
            return 0;
        }
        static int on_timer(CURLM*, long timeout_ms, void* self) {
            auto& timer = static_cast<Multi*>(self)->timer_;
            timer.reset();
            if (timeout_ms >= 0) timer = std::chrono::steady_clock::now() + milliseconds{timeout_ms};
            return 0;
        }

        Poller& poller_;
        CURLM* handle_;
        std::optional<SteadyTime> timer_;  ///< when libcurl wants to be called
        std::size_t active_ = 0;
    };

    struct Waiting {
        HttpRequest request;
        Done done;
    };
    struct Inbox {
        std::vector<Waiting> waiting;
        bool closed = false;
    };
    /// Until when it waits for its name, and which.
    using Place = std::pair<SteadyTime, CurlEasy*>;
    using Resolving = std::map<Place, std::unique_ptr<CurlEasy>>;

    /// A wake-up costs two system calls, so it is left out where poll() looks at the inbox anyway.
    void ring() {
        if (asleep_.exchange(false)) poller_.ring();
    }

    void start_waiting() {
        auto waiting = inbox_.with([](Inbox& inbox) { return std::exchange(inbox.waiting, {}); });
        for (auto& [request, done] : waiting) start(std::move(request), std::move(done));
    }

    void start(HttpRequest request, Done done) {
        auto easy = take_easy();
        if (const auto wrong = easy->prepare(std::move(request), std::move(done)))
            return refuse(std::move(easy), *wrong);
        if (!easy->name()) return add(std::move(easy));
        const auto& host = easy->name()->host;
        const auto known = resolver_.find(host);
        if (!known) return refuse(std::move(easy), known.error().message);
        if (*known) return add_resolved(std::move(easy), **known);
        const Place place{easy->connect_until(), easy.get()};
        waiting_for_[host].push_back(place);
        resolving_.emplace(place, std::move(easy));
    }

    void add_resolved(std::unique_ptr<CurlEasy> easy, const Resolver::Addresses& addresses) {
        if (!easy->set_addresses(addresses)) return refuse(std::move(easy), "out of memory");
        add(std::move(easy));
    }

    void add(std::unique_ptr<CurlEasy> easy) {
        curl_easy_setopt(easy->handle(), CURLOPT_CLOSESOCKETFUNCTION, &Loop::on_close);
        curl_easy_setopt(easy->handle(), CURLOPT_CLOSESOCKETDATA, this);
        auto& multi = multi_with_room();
        const auto code = multi.add(*easy);
        if (code != CURLM_OK) return refuse(std::move(easy), curl_multi_strerror(code));
        active_.emplace(easy.release(), &multi);
    }

    /// The first that has room, so that connections are found again; those that hang fill the first ones and are not
    /// walked through by the others.
    Multi& multi_with_room() {
        for (auto& multi : multis_)
            if (multi->active() < kOfAMultiMax) return *multi;
        multis_.push_back(std::make_unique<Multi>(poller_, settings_.idle_connections_max));
        return *multis_.back();
    }

    /// With its idle connections, once there is plenty of room without it.
    void drop_unused() {
        while (multis_.size() > 1 && multis_.back()->active() == 0 &&
               active_.size() < (multis_.size() - 1) * kOfAMultiMax / 2)
            multis_.pop_back();
    }

    /// Nothing of it was sent. Gives the handle back before telling, as finish() does.
    void refuse(std::unique_ptr<CurlEasy> easy, const std::string& why, bool timed_out = false) {
        const auto duration = easy->age();
        const auto done = easy->take_done();
        keep(std::move(easy));
        done({TransportFailure{TransportFailure::Reached::NothingSent, timed_out, why}, duration});
    }

    /// Goes on with those whose names have been looked up, and ends those that have waited too long.
    void start_resolved() {
        if (answered_.exchange(false)) {
            for (const auto& answer : resolver_.answers()) start_resolved(answer);
        }
        if (resolving_.empty()) return;
        const auto now = std::chrono::steady_clock::now();
        while (!resolving_.empty() && resolving_.begin()->first.first <= now) {
            const auto& host = resolving_.begin()->second->name()->host;
            give_up(resolving_.begin(), "cannot resolve " + host + ": no answer in time", true);
        }
    }

    void start_resolved(const Resolver::Answer& answer) {
        auto waiting = waiting_for_.extract(answer.host);
        if (waiting.empty()) return;  // it was only asked for again
        for (const auto& place : waiting.mapped()) {
            auto easy = std::move(resolving_.extract(place).mapped());
            if (answer.addresses) {
                add_resolved(std::move(easy), *answer.addresses);
            } else {
                refuse(std::move(easy), answer.addresses.error().message);
            }
        }
    }

    void give_up(Resolving::iterator at, const std::string& why, bool timed_out) {
        const auto host = at->second->name()->host;
        auto& others = waiting_for_[host];
        std::erase(others, at->first);
        if (others.empty()) {
            waiting_for_.erase(host);
            resolver_.forget(host);
        }
        refuse(std::move(resolving_.extract(at).mapped()), why, timed_out);
    }

    int wait(std::array<epoll_event, kEventsMax>& events, milliseconds wait_max) {
        if (active_.empty()) poller_.forget_parked();
        asleep_ = true;
        // Whoever sent or woke before asleep_ was set has rung no bell.
        const bool waiting = inbox_.with([](const Inbox& inbox) { return !inbox.waiting.empty(); });
        const bool at_once = woken_.exchange(false) || waiting;
        const int count = poller_.wait(events, at_once ? 0 : timeout_ms(wait_max));
        asleep_ = false;
        ++wakeups_;
        return count;
    }

    /// For epoll: rounded up, so that it does not wake up just before libcurl's timer; -1 is for ever.
    int timeout_ms(milliseconds wait_max) const {
        const auto until = [&](SteadyTime end) {
            const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
            wait_max = std::min(wait_max, std::max(left, milliseconds{0}));
        };
        for (const auto& multi : multis_)
            if (multi->timer()) until(*multi->timer());
        if (!resolving_.empty()) until(resolving_.begin()->first.first);
        constexpr milliseconds kLongest{24 * 3'600'000};
        if (wait_max == kNoEnd) return -1;
        return static_cast<int>(std::min(wait_max, kLongest).count());
    }

    void run_timer() {
        const auto now = std::chrono::steady_clock::now();
        for (auto& multi : multis_) multi->run_timer(now);
    }

    /// Tells whoever waits for exchanges that have ended. True if there was one.
    bool finish_ended() {
        bool any = false;
        for (std::size_t i = 0; i < multis_.size(); ++i) {  // there may be one more meanwhile
            while (const auto ended = multis_[i]->ended()) {
                finish(ended->first, ended->first->result(ended->second));
                any = true;
            }
        }
        return any;
    }

    /// Gives the handle back before telling, as the one told may send again.
    void finish(CurlEasy* ended, Exchange exchange) {
        std::unique_ptr<CurlEasy> easy(ended);
        active_.extract(ended).mapped()->remove(*easy);
        const auto duration = easy->age();
        const auto done = easy->take_done();
        keep(std::move(easy));
        done({std::move(exchange), duration});
    }

    std::unique_ptr<CurlEasy> take_easy() {
        if (spare_.empty()) return std::make_unique<CurlEasy>(settings_);
        auto easy = std::move(spare_.back());
        spare_.pop_back();
        return easy;
    }

    void keep(std::unique_ptr<CurlEasy> easy) {
        if (spare_.size() < kSpareMax) spare_.push_back(std::move(easy));
    }

    static int on_close(void* self, curl_socket_t fd) {
        static_cast<Loop*>(self)->poller_.close(fd);
        return 0;
    }

    CurlLibrary library_;
    const CurlSettings settings_;
    Poller poller_;
    std::vector<std::unique_ptr<Multi>> multis_;
    std::unordered_map<CurlEasy*, Multi*> active_;
    std::vector<std::unique_ptr<CurlEasy>> spare_;
    Resolving resolving_;  ///< wait for their names
    std::unordered_map<std::string, std::vector<Place>> waiting_for_;
    std::size_t wakeups_ = 0;
    std::atomic<bool> asleep_{false};
    std::atomic<bool> woken_{false};
    std::atomic<bool> answered_{false};  ///< the resolver has something
    Guarded<Inbox> inbox_;
    Resolver resolver_;  ///< last: its threads wake this up
};

CurlTransport::CurlTransport(CurlSettings settings) : loop_(std::make_unique<Loop>(std::move(settings))) {}
CurlTransport::~CurlTransport() = default;
void CurlTransport::send(HttpRequest request, Done done) { loop_->send(std::move(request), std::move(done)); }
void CurlTransport::poll(milliseconds wait_max) { loop_->poll(wait_max); }
void CurlTransport::wake() { loop_->wake(); }
void CurlTransport::stop() { loop_->stop(); }
std::size_t CurlTransport::wakeups() const { return loop_->wakeups(); }

}  // namespace orbridge

#include "bridge/receive/io_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace orbridge {
namespace {

constexpr std::uint64_t kListenerId = 0;
constexpr std::uint64_t kWakeId = 1;
constexpr std::uint64_t kFirstConnectionId = 2;
constexpr int kEventsMax = 256;
constexpr int kAcceptsPerTurn = 64;
constexpr milliseconds kOutOfResourcesPause{100};
constexpr milliseconds kFirstRequest{1'000};  // for a client that has just connected, when we stop
constexpr std::uint32_t kInput = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t kEnd = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t kOutput = EPOLLOUT | EPOLLHUP | EPOLLERR;

bool watch(const Fd& epoll, int fd, std::uint32_t events, std::uint64_t id, int operation = EPOLL_CTL_ADD) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    return ::epoll_ctl(epoll.get(), operation, fd, &event) == 0;
}

}  // namespace

IoLoop::IoLoop(const HttpSettings& settings, RequestLimits limits, Listener listener, Calls calls, Log& log)
    : settings_(settings),

      limits_(std::move(limits)),
      listener_(std::move(listener)),
      calls_(std::move(calls)),
      log_(log),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      buffer_(64 << 10),
      next_id_(kFirstConnectionId) {}

IoLoop::~IoLoop() { stop(milliseconds{0}); }

Status IoLoop::start() {
    if (!epoll_ || !wake_ || !watch(epoll_, wake_.get(), EPOLLIN, kWakeId) ||
        !watch(epoll_, listener_.fd(), EPOLLIN, kListenerId))
        return Error{Error::Kind::Unavailable, "watch sockets: " + std::generic_category().message(errno)};
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& problem) {
        return Error{Error::Kind::Unavailable, std::string("start the I/O thread: ") + problem.what()};
    }
    return Ok{};
}

void IoLoop::run() {
    while (step()) {
    }
    for (const auto& [id, connection] : connections_) {
        const std::lock_guard lock(connection->mutex);
        connection->phase = Connection::Phase::Closed;
        ::shutdown(connection->socket.get(), SHUT_RDWR);
    }
    connections_.clear();
}

bool IoLoop::step() {
    std::array<epoll_event, kEventsMax> events{};
    const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsMax, pause());
    for (int i = 0; i < count; ++i) {
        const auto& event = events.at(static_cast<std::size_t>(i));
        on_event(event.data.u64, event.events);
    }
    for (const auto id : std::exchange(again_, {})) review(id);
    take_posted();
    expire();
    if (stopping_ && !stop_begun_) begin_stop();
    return !finished();
}

int IoLoop::pause() {
    if (!again_.empty()) return 0;
    auto until = std::min(listen_again_, timers_.empty() ? kNever : timers_.top().time);
    if (stopping_) until = std::min(until, stop_at_.load());
    if (until == kNever) return -1;
    const auto left = std::chrono::ceil<milliseconds>(until - SteadyClock::now());
    return static_cast<int>(std::clamp<milliseconds::rep>(left.count(), 0, 60'000));
}

void IoLoop::on_event(std::uint64_t id, std::uint32_t events) {
    if (id == kListenerId) return stop_begun_ ? void() : accept_some();
    if (id == kWakeId) return;  // take_posted() follows
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    const auto connection = found->second;
    std::unique_lock lock(connection->mutex);
    move_on(connection, events);
    if (connection->phase == Connection::Phase::Closed) remove(*connection);
}

void IoLoop::move_on(const ConnectionPtr& connection, std::uint32_t events) {
    const bool input = (events & kInput) != 0;
    switch (connection->phase) {
        case Connection::Phase::Reading:
            if (input) read(connection, (events & kEnd) != 0);
            break;
        case Connection::Phase::Handling: connection->unread |= input; break;
        case Connection::Phase::Writing:
            connection->unread |= input;
            if ((events & kOutput) != 0) write_more(*connection);
            break;
        case Connection::Phase::Draining:
            if (input) drain(*connection);
            break;
        case Connection::Phase::Closed: break;
    }
}

void IoLoop::post(std::uint64_t id) {
    bool first = false;
    {
        const std::lock_guard lock(posted_mutex_);
        first = posted_.empty();
        posted_.push_back(id);
    }
    if (!first) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void IoLoop::take_posted() {
    std::vector<std::uint64_t> posted;
    {
        const std::lock_guard lock(posted_mutex_);
        if (posted_.empty()) return;
        std::uint64_t count = 0;
        [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
        posted.swap(posted_);
    }
    for (const auto id : posted) review(id);
}

void IoLoop::review(std::uint64_t id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    const auto connection = found->second;
    const std::lock_guard lock(connection->mutex);
    arm(*connection);
    if (connection->phase == Connection::Phase::Reading) read(connection, true);
    if (connection->phase == Connection::Phase::Writing) write_more(*connection);
    if (connection->phase == Connection::Phase::Draining) drain(*connection);
    if (connection->phase == Connection::Phase::Closed) remove(*connection);
}

void IoLoop::accept_some() {
    if (connections_.size() >= settings_.connections_max) {
        log_.warn("http.connections_full", {{"connections", connections_.size()}});
        return pause_accepting(kOutOfResourcesPause);
    }
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
        auto next = listener_.accept();
        if (auto* accepted = std::get_if<AcceptedSocket>(&next)) {
            add(std::move(*accepted));
        } else {
            if (std::get<Listener::None>(next) == Listener::None::Empty) return;
            log_.warn("http.out_of_file_descriptors", {{"connections", connections_.size()}});
            return pause_accepting(kOutOfResourcesPause);
        }
    }
}

void IoLoop::add(AcceptedSocket accepted) {
    const auto id = next_id_++;
    auto connection = std::make_shared<Connection>(id, std::move(accepted.socket), std::move(accepted.peer), limits_);
    const std::lock_guard lock(connection->mutex);
    connection->deadline = SteadyClock::now() + settings_.request_timeout;
    arm(*connection);
    // Edge-triggered and for both directions: no further epoll_ctl for the connection's whole life.
    const auto events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    if (watch(epoll_, connection->socket.get(), events, id)) connections_.emplace(id, connection);
}

void IoLoop::remove(Connection& connection) {
    charge(connection, 0);
    watch(epoll_, connection.socket.get(), 0, connection.id, EPOLL_CTL_DEL);
    ::shutdown(connection.socket.get(), SHUT_RDWR);
    connections_.erase(connection.id);
}

void IoLoop::listen_for(std::uint32_t events) { watch(epoll_, listener_.fd(), events, kListenerId, EPOLL_CTL_MOD); }

void IoLoop::pause_accepting(milliseconds time) {
    listen_for(0);
    listen_again_ = SteadyClock::now() + time;
}

void IoLoop::arm(Connection& connection) {
    if (connection.deadline >= connection.timer) return;
    connection.timer = connection.deadline;
    timers_.push({connection.timer, connection.id});
}

/// Deadlines mostly move later, so a timer that runs out early is set anew rather than moved each time.
void IoLoop::expire() {
    const auto now = SteadyClock::now();
    if (listen_again_ <= now) {
        listen_again_ = kNever;
        if (!stopping_) listen_for(EPOLLIN);
    }
    while (!timers_.empty() && timers_.top().time <= now) {
        const auto timer = timers_.top();
        timers_.pop();
        const auto found = connections_.find(timer.id);
        if (found == connections_.end()) continue;
        const auto connection = found->second;
        const std::lock_guard lock(connection->mutex);
        if (connection->timer != timer.time) continue;
        connection->timer = kNever;
        if (connection->deadline <= now) time_out(*connection);
        if (connection->phase == Connection::Phase::Closed) {
            remove(*connection);
        } else {
            arm(*connection);
        }
    }
}

void IoLoop::stop(milliseconds finish_within) {
    const std::lock_guard one_at_a_time(stop_mutex_);
    if (!thread_.joinable()) return;
    stop_at_ = SteadyClock::now() + finish_within;
    stopping_ = true;
    post(kWakeId);
    thread_.join();
}

void IoLoop::begin_stop() {
    stop_begun_ = true;
    // Those in the kernel's queue believe they are connected. If the socket outlives us they are the next one's.
    if (!listener_.kept_by_others()) accept_some();
    // By hand, as epoll goes on watching a socket that somebody else keeps open.
    watch(epoll_, listener_.fd(), 0, kListenerId, EPOLL_CTL_DEL);
    listener_.close();
    listen_again_ = kNever;
    const auto connections = connections_;
    for (const auto& [id, connection] : connections) {
        const std::lock_guard lock(connection->mutex);
        if (connection->phase != Connection::Phase::Reading) continue;
        read(connection, true);
        if (connection->phase == Connection::Phase::Reading && !connection->parser.begun()) end_idle(*connection);
        if (connection->phase == Connection::Phase::Closed) remove(*connection);
    }
}

/// Between two requests a client must expect the end. One that has just connected is about to send its first.
void IoLoop::end_idle(Connection& connection) {
    if (connection.served) {
        connection.phase = Connection::Phase::Closed;
        return;
    }
    connection.deadline = std::min(connection.deadline, SteadyClock::now() + kFirstRequest);
    arm(connection);
}

bool IoLoop::finished() {
    if (!stop_begun_) return false;
    return connections_.empty() || SteadyClock::now() >= stop_at_.load();
}

}  // namespace orbridge

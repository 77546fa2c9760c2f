// How one connection moves from phase to phase. The loop around it is in io_loop.cpp.
#include <sys/socket.h>

#include <algorithm>

#include "bridge/receive/io_loop.h"

namespace orbridge {
namespace {

constexpr int kReadsPerTurn = 16;  // then the others have theirs
constexpr std::size_t kDrainBytesMax = 16 << 20;
constexpr milliseconds kDrainTimeout{2'000};
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

const Refusal kTimeout{408, "request_timeout", "The request did not arrive in time"};
const Refusal kMemoryFull{503, "overloaded", "Too many requests are being received; try again later"};
const Refusal kHandlersFull{503, "overloaded", "Too many requests are being served; try again later"};

}  // namespace

void IoLoop::read(const ConnectionPtr& connection, bool to_the_end) {
    connection->unread = false;
    if (!connection->early.empty()) take(connection, std::exchange(connection->early, {}));
    for (int turn = 0; turn < kReadsPerTurn; ++turn) {
        if (connection->phase == Connection::Phase::Draining) return drain(*connection);
        if (connection->phase != Connection::Phase::Reading) return;
        const auto got = receive_some(connection->socket, buffer_.data(), buffer_.size());
        if (got.would_block) return;
        if (got.ended) return end_of_input(*connection);
        // A short read means that the socket is empty, unless an end may stand behind it.
        const bool more = to_the_end || got.bytes == buffer_.size();
        connection->unread = more;
        take(connection, {buffer_.data(), got.bytes});
        if (!more && connection->phase == Connection::Phase::Reading) return;
    }
    if (connection->phase == Connection::Phase::Reading) again_.push_back(connection->id);
}

void IoLoop::take(const ConnectionPtr& connection, std::string_view bytes) {
    auto& parser = connection->parser;
    const bool had_begun = parser.begun();
    bytes.remove_prefix(parser.feed(bytes));
    if (!had_begun && parser.begun()) {
        connection->deadline = SteadyClock::now() + settings_.request_timeout;
        arm(*connection);
    }
    charge(*connection, parser.bytes_held());
    switch (parser.state()) {
        case RequestParser::State::Complete: return hand_over(connection, bytes);
        case RequestParser::State::Refused: return refuse(*connection, parser.refusal());
        case RequestParser::State::NeedMore: break;
    }
    if (charged_ > settings_.buffered_bytes_max) return refuse(*connection, kMemoryFull);
    if (parser.wants_continue()) permit_body(*connection);
}

void IoLoop::permit_body(Connection& connection) {
    if (std::exchange(connection.told_continue, true)) return;
    // A socket with no room for 25 bytes has a client that reads nothing.
    if (send_some(connection.socket, kContinue).bytes != kContinue.size()) connection.phase = Connection::Phase::Closed;
}

void IoLoop::hand_over(const ConnectionPtr& connection, std::string_view rest) {
    connection->early = rest;
    connection->request = std::move(connection->parser.head());
    connection->request.request.peer = connection->peer;
    connection->parser = RequestParser(limits_);
    connection->told_continue = false;
    connection->served = true;
    connection->close_after = !connection->request.keep_alive;
    connection->phase = Connection::Phase::Handling;
    connection->deadline = kNever;
    if (!calls_.serve(connection)) refuse(*connection, kHandlersFull);
}

void IoLoop::refuse(Connection& connection, const Refusal& refusal) {
    const bool handling = connection.phase == Connection::Phase::Handling;
    const auto& head = handling ? connection.request : connection.parser.head();
    auto answer = calls_.refuse(head, refusal);
    if (refusal.status == 503) answer.headers.push_back({"Retry-After", "1"});
    log_.info("http.refused", {{"status", answer.status}, {"code", refusal.code}, {"peer", connection.peer}});
    connection.close_after = true;
    connection.early.clear();
    const bool without_body = head.request.method == "HEAD";
    send(connection, response_text(answer, {.without_body = without_body, .close = true}));
}

void IoLoop::end_of_input(Connection& connection) {
    if (const auto refusal = connection.parser.refusal_at_end()) return refuse(connection, *refusal);
    connection.phase = Connection::Phase::Closed;
}

void IoLoop::time_out(Connection& connection) {
    if (connection.phase == Connection::Phase::Handling) return;
    if (connection.phase == Connection::Phase::Reading && connection.parser.begun())
        return refuse(connection, kTimeout);
    if (connection.phase == Connection::Phase::Writing)
        log_.info("http.answer_not_taken", {{"peer", connection.peer}, {"sent", connection.out_sent}});
    connection.phase = Connection::Phase::Closed;
}

void IoLoop::charge(Connection& connection, std::size_t bytes) {
    charged_ += bytes - connection.charged;  // wraps around where it shrinks, as intended
    connection.charged = bytes;
}

void IoLoop::answer(const ConnectionPtr& connection, const Answer& answer) {
    const std::lock_guard lock(connection->mutex);
    if (connection->phase != Connection::Phase::Handling) return;  // closed meanwhile
    const auto& request = connection->request;
    if (wants_close(answer) || stopping_) connection->close_after = true;
    ResponseForm form{.without_body = request.request.method == "HEAD", .close = connection->close_after};
    form.http11 = request.http11;
    form.keep_alive = std::chrono::floor<seconds>(settings_.keep_alive);
    connection->request = {};
    send(*connection, response_text(answer, form));
}

void IoLoop::send(Connection& connection, std::string text) {
    charge(connection, 0);
    const auto sent = send_some(connection.socket, text);
    if (sent.bytes == text.size()) return after_answer(connection);
    if (sent.ended) {
        connection.phase = Connection::Phase::Closed;
    } else {
        connection.phase = Connection::Phase::Writing;
        connection.deadline = SteadyClock::now() + settings_.send_timeout;
        connection.out = std::move(text);
        connection.out_sent = sent.bytes;
    }
    post(connection.id);
}

void IoLoop::write_more(Connection& connection) {
    while (connection.out_sent < connection.out.size()) {
        const auto left = std::string_view(connection.out).substr(connection.out_sent);
        const auto sent = send_some(connection.socket, left);
        if (sent.would_block) return;
        if (sent.ended) {
            connection.phase = Connection::Phase::Closed;
            return;
        }
        connection.out_sent += sent.bytes;
    }
    connection.out = {};
    after_answer(connection);
}

void IoLoop::after_answer(Connection& connection) {
    if (connection.close_after || stopping_) {
        ::shutdown(connection.socket.get(), SHUT_WR);
        connection.phase = Connection::Phase::Draining;
        connection.deadline = SteadyClock::now() + kDrainTimeout;
        return post(connection.id);
    }
    connection.phase = Connection::Phase::Reading;
    connection.deadline = SteadyClock::now() + settings_.keep_alive;
    const bool timer_is_late = connection.deadline < connection.timer;
    if (timer_is_late || connection.unread || !connection.early.empty()) post(connection.id);
}

void IoLoop::drain(Connection& connection) {
    for (int turn = 0; turn < kReadsPerTurn; ++turn) {
        const auto got = receive_some(connection.socket, buffer_.data(), buffer_.size());
        if (got.would_block) return;
        connection.drained += got.bytes;
        if (got.ended || connection.drained > kDrainBytesMax) {
            connection.phase = Connection::Phase::Closed;
            return;
        }
    }
    again_.push_back(connection.id);
}

}  // namespace orbridge

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "bridge/core/event.h"
#include "bridge/core/ids.h"

namespace orbridge {

/// What deliveries that nobody has claimed yet will be claimed with, so that it is not read back right after it was
/// written. Only a help: what is not here is read. Each is put here before the transaction that stores it can be seen
/// by others, and handed out once, so that it cannot be older than what is stored. The oldest go when it is full.
/// Not safe by itself: keep it in a Guarded.
class Fresh {
public:
    struct Entry {
        std::shared_ptr<Event> event;
        DeliveryId id;
        std::string route, mark;
        std::optional<std::int64_t> order_key;
        bool replayed = false;
        std::size_t bytes = 0;  ///< what it takes, its share of the event included
        bool sole = false;      ///< nobody else has the event
    };

    explicit Fresh(std::size_t bytes_max = 2 << 20) : bytes_max_(bytes_max) {}

    void put(std::int64_t seq, Entry entry) {
        drop(seq);
        bytes_ += entry.bytes;
        by_seq_.insert_or_assign(seq, std::move(entry));
        order_.push_back(seq);
        while (bytes_ > bytes_max_ || order_.size() > 2 * by_seq_.size() + kSlack) {
            drop(order_.front());
            order_.pop_front();
        }
    }
    std::optional<Entry> take(std::int64_t seq) {
        auto node = by_seq_.extract(seq);
        if (node.empty()) return std::nullopt;
        bytes_ -= node.mapped().bytes;
        return std::move(node.mapped());
    }
    void drop(std::int64_t seq) { (void)take(seq); }
    void clear() {
        by_seq_.clear();
        order_.clear();
        bytes_ = 0;
    }
    std::size_t size() const { return by_seq_.size(); }

private:
    static constexpr std::size_t kSlack = 64;

    const std::size_t bytes_max_;
    std::size_t bytes_ = 0;
    std::unordered_map<std::int64_t, Entry> by_seq_;
    std::deque<std::int64_t> order_;  ///< as put, those already taken among them
};

}  // namespace orbridge

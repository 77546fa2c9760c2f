#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

/// Where a reader of a growing log stands, and how it finds its place again. Pure.
///
/// Rows of OpenRegister's logs have a growing id, but a transaction that commits late makes a row appear below others
/// that were read before; and old rows expire, which moves every offset (openregister.md §5.1, §5.2). So a reader
/// remembers the ids of its last rows and reads those again.
namespace orbridge::openregister {

using RowId = std::int64_t;

struct LogPosition {
    RowId floor = 0;          ///< rows up to here are done with, seen or not
    std::vector<RowId> seen;  ///< rows above the floor that were read, ascending
    std::size_t offset = 0;   ///< where the first row above the floor stood last: a hint, it moves

    bool is_new(RowId id) const;
    RowId last() const { return seen.empty() ? floor : seen.back(); }
};

/// The position after these rows were read too. Of the seen ones only the youngest `tail_rows` are kept.
LogPosition advanced(LogPosition position, const std::vector<RowId>& read, std::size_t tail_rows);

/// Whether none of the rows last seen is there any more, though `present` shows all from the floor on: what came
/// after them may have come and gone unseen. Also if the log has begun anew, with lower ids.
bool is_lost(const LogPosition& position, const std::vector<RowId>& present);

/// Finds the offset of the first row with an id above `floor` in a list that is sorted by id but knows no ranges,
/// from what pages of it show. Believes no total. While rows expire it may be misled: whoever reads at the found
/// offset must begin one row earlier and see a row at or below the floor there, or start again.
class OffsetSearch {
public:
    OffsetSearch(RowId floor, std::size_t hint) : floor_(floor), next_(hint > 0 ? hint - 1 : 0) {}

    /// The offset to look at next. Meaningless once found() says something.
    std::size_t next() const { return next_; }
    /// What stood there: the ids of one page of at most `limit` rows.
    void see(const std::vector<RowId>& page, std::size_t limit);
    std::optional<std::size_t> found() const { return found_; }

private:
    void left_of(std::size_t offset);
    void right_of(std::size_t offset);
    void choose();

    RowId floor_;
    std::size_t next_;
    std::size_t low_ = 0;              ///< the wanted offset is not below
    std::optional<std::size_t> high_;  ///< nor above
    std::size_t stride_ = 0;           ///< of the search towards the unknown side, doubled each time
    std::optional<std::size_t> found_;
};

}  // namespace orbridge::openregister

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace orbridge {

/// Cuts lines that end in CRLF out of bytes that come in pieces. A line that came in one piece is not copied.
class LineReader {
public:
    enum class Found { NeedMore, Line, BareLineFeed, TooLong };

    /// Takes bytes from the front, up to the end of the line. `bytes_max` counts the line end.
    Found read(std::string_view& bytes, std::size_t bytes_max) {
        if (complete_) partial_.clear();
        complete_ = false;
        const auto end = bytes.find('\n');
        const auto count = end == std::string_view::npos ? bytes.size() : end + 1;
        if (partial_.size() + count > bytes_max) return Found::TooLong;
        line_ = bytes.substr(0, count);
        bytes.remove_prefix(count);
        if (!partial_.empty() || end == std::string_view::npos) line_ = partial_.append(line_);
        if (end == std::string_view::npos) return Found::NeedMore;
        complete_ = true;
        if (line_.size() < 2 || line_[line_.size() - 2] != '\r') return Found::BareLineFeed;
        line_.remove_suffix(2);
        return Found::Line;
    }

    /// Without its line end; valid until the next read and while the bytes read last live.
    std::string_view line() const { return line_; }
    std::size_t bytes_held() const { return partial_.size(); }

private:
    std::string partial_;
    std::string_view line_;
    bool complete_ = false;
};

}  // namespace orbridge

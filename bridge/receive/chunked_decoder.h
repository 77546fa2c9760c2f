#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/receive/line_reader.h"
#include "bridge/receive/request_head.h"

namespace orbridge {

/// Decodes a chunked body. Unlike Poco's stream it tells a body that ended from one that was cut off,
/// and eats the trailer, so that nothing of this request is left to be read as the next one.
class ChunkedDecoder {
public:
    explicit ChunkedDecoder(std::size_t body_bytes_max, std::size_t trailer_bytes_max)
        : body_bytes_max_(body_bytes_max), overhead_left_(trailer_bytes_max) {}

    /// Takes bytes from the front and appends what they carry to `body`. Stops behind the body's end.
    std::optional<Refusal> feed(std::string_view& bytes, std::string& body);
    bool complete() const { return step_ == Step::Complete; }

private:
    enum class Step { Size, Data, DataEnd, Trailer, Complete };
    std::optional<Refusal> feed_line(std::string_view& bytes, std::size_t body_size);
    std::optional<Refusal> read_line(std::string_view line, std::size_t body_size);
    std::optional<Refusal> read_size(std::string_view line, std::size_t body_size);
    void take_data(std::string_view& bytes, std::string& body);

    std::size_t body_bytes_max_;
    std::size_t overhead_left_;  ///< for extensions and trailer fields, which carry nothing for us
    std::size_t chunk_left_ = 0;
    Step step_ = Step::Size;
    LineReader lines_;
};

}  // namespace orbridge

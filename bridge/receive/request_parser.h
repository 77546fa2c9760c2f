#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/receive/chunked_decoder.h"
#include "bridge/receive/line_reader.h"
#include "bridge/receive/request_head.h"

namespace orbridge {

struct RequestLimits {
    std::size_t header_bytes_max = 64 << 10;
    std::size_t headers_max = 100;
    std::size_t target_bytes_max = 16 << 10;
    std::size_t body_bytes_max = 1 << 20;
    /// For one request, by its head. Empty, or it throws: body_bytes_max.
    std::function<std::size_t(const InboundRequest& head)> body_bytes_max_of{};
};

/// Reads one request from bytes that come in any pieces; the pieces make no difference. Pure.
class RequestParser {
public:
    enum class State { NeedMore, Complete, Refused };

    /// `limits` must outlive the parser.
    explicit RequestParser(const RequestLimits& limits) : limits_(&limits) {}

    /// Takes bytes from the front of the request stream; returns how many. After Complete or Refused it takes none.
    std::size_t feed(std::string_view bytes);
    State state() const;

    /// Has seen at least one byte of a request.
    bool begun() const { return begun_; }
    /// The client sends its body only after `100 Continue`.
    bool wants_continue() const { return step_ == Step::Body && head_.expects_continue && head_.request.body.empty(); }
    /// What went wrong if no more bytes come. Nothing if none had come.
    std::optional<Refusal> refusal_at_end() const;
    /// If Refused.
    const Refusal& refusal() const { return refusal_; }
    /// As far as it was read.
    const RequestHead& head() const { return head_; }
    RequestHead& head() { return head_; }
    std::size_t bytes_held() const { return head_bytes_ + head_.request.body.capacity(); }

private:
    enum class Step { RequestLine, Fields, Body, Complete, Refused };
    void feed_head(std::string_view& bytes);
    void read_head_line(std::string_view line);
    void end_head();
    void feed_body(std::string_view& bytes);
    void feed_sized_body(std::string_view& bytes);
    std::size_t body_bytes_max() const;
    void refuse(Refusal refusal);
    void refuse_long_head();

    const RequestLimits* limits_;
    Step step_ = Step::RequestLine;
    bool begun_ = false;
    bool skipped_empty_line_ = false;
    std::size_t head_bytes_ = 0;
    LineReader lines_;
    RequestHead head_;
    std::optional<ChunkedDecoder> chunks_;
    Refusal refusal_;
};

}  // namespace orbridge

#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/http.h"
#include "bridge/receive/fd.h"

namespace orbridge::test {

/// What came back, as far as it can be told apart.
struct Received {
    int status = 0;  ///< 0: nothing, or the connection broke
    Headers headers{};
    std::string body{};
    std::string header(std::string_view name) const {
        const auto* value = find_header(headers, name);
        return value == nullptr ? "" : *value;
    }
};

/// A client that sends exactly the bytes it is told to. Reads give up after 20 s, which fails the test.
class RawClient {
public:
    enum class End { Closed, Reset, TimedOut };

    explicit RawClient(int port, int receive_buffer = 0);

    /// False: the connection is gone.
    bool send(std::string_view bytes);
    void shut_write();
    /// One answer; to HEAD it has no body.
    Received receive(bool head = false);
    /// All answers up to the end of the connection.
    std::vector<Received> receive_all();
    /// Reads up to the end of the connection.
    End wait_for_end();
    /// Something came, or the connection ended, within the time.
    bool readable(std::chrono::milliseconds within);

private:
    bool fill();
    Fd socket_;
    std::string buffer_;
    End end_ = End::TimedOut;
};

std::string post(std::string_view path, std::string_view body, std::string_view fields = {});
std::string get(std::string_view path, std::string_view fields = {});

}  // namespace orbridge::test

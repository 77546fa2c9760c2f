#pragma once

#include <string>
#include <string_view>

#include "adapters/windmill/settings.h"
#include "bridge/core/delivery.h"
#include "bridge/core/result.h"

namespace orbridge::windmill {

/// A request body, and what had to be changed in it.
struct Arguments {
    std::string json;
    int references = 0;  ///< texts Windmill would have replaced
    int mended = 0;      ///< texts PostgreSQL's jsonb could not have stored
};

/// Writes the arguments of the run. Invalid: the event cannot be sent, and why.
///
/// Windmill replaces texts that begin with `$var:`, `$jsonvar:`, `$res:` or `$encrypted:` by variables and
/// resources, objects `{"$interpolate": […]}` likewise; and wherever one of these words occurs in an
/// argument, texts such as `$WM_TOKEN` too. Neutralise puts one space before the text or key: it then reads
/// the same to people and is another text to Windmill. The key `_ENTRYPOINT_OVERRIDE` gets the same where
/// keys become arguments. All other bytes go out as they came in.
Result<Arguments> arguments_for(const Delivery& delivery, Wrap wrap, Interpolation policy);

/// The same for one JSON value.
Result<Arguments> disarm(std::string_view json, Interpolation policy, bool keys_become_arguments);

}  // namespace orbridge::windmill

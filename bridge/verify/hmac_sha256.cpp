#include "bridge/verify/hmac_sha256.h"

#include <algorithm>
#include <array>

#include "bridge/core/text.h"
#include "bridge/verify/headers.h"

namespace orbridge {
namespace {

constexpr std::array<std::string_view, 3> kValues = {"body", "timestamp", "id"};

std::string_view value_of(const SignedContent::Values& values, std::string_view name) {
    if (name == "timestamp") return values.timestamp;
    return name == "id" ? values.id : values.body;
}

}  // namespace

Result<SignedContent> SignedContent::parse(std::string_view text) {
    SignedContent made;
    while (!text.empty()) {
        const auto open = text.find('{');
        if (open != 0) made.parts_.push_back({false, std::string(text.substr(0, open))});
        if (open == std::string_view::npos) break;
        const auto close = text.find('}', open);
        const auto name = close == std::string_view::npos ? "" : text.substr(open + 1, close - open - 1);
        if (std::find(kValues.begin(), kValues.end(), name) == kValues.end())
            return Error{Error::Kind::Invalid, "a brace that is not {body}, {timestamp} or {id}"};
        made.parts_.push_back({true, std::string(name)});
        text.remove_prefix(close + 1);
    }
    if (!made.uses("body")) return Error{Error::Kind::Invalid, "no {body} in it, so that any body would fit"};
    return made;
}

bool SignedContent::uses(std::string_view name) const {
    return std::any_of(parts_.begin(), parts_.end(),
                       [&](const Part& part) { return part.is_value && part.text == name; });
}

std::string SignedContent::fill(const Values& values) const {
    std::string filled;
    filled.reserve(values.body.size() + 128);
    for (const auto& part : parts_) filled += part.is_value ? value_of(values, part.text) : std::string_view(part.text);
    return filled;
}

std::string signature_of(const SignatureForm& form, const Secret& secret, std::string_view content) {
    const auto mac = hmac_sha256(secret.reveal(), content);
    const bool hex = form.encoding == SignatureForm::Encoding::Hex;
    return form.prefix + (hex ? to_hex(mac) : to_base64(mac));
}

HmacSha256::HmacSha256(SignatureForm form, std::vector<Secret> secrets, milliseconds tolerance)
    : form_(std::move(form)),
      content_(SignedContent::parse(form_.content).value()),
      secrets_(std::move(secrets)),
      tolerance_(tolerance) {}

Result<Proof> HmacSha256::verify(const InboundRequest& request, TimePoint now) const {
    // OpenRegister sends a second line when a custom header has the same name: which one is meant is anyone's guess.
    const auto given = only_header(request.headers, form_.header);
    if (!given) return given.error();
    std::string_view signature = **given;
    if (!signature.starts_with(form_.prefix))
        return Error{Error::Kind::Unauthorized, form_.header + " does not begin with " + form_.prefix};
    signature.remove_prefix(form_.prefix.size());
    const auto values = signed_values(request, now);
    if (!values) return values.error();
    if (!fits(**given, content_.fill(*values)))
        return Error{Error::Kind::Unauthorized, form_.header + " does not fit the body"};
    if (!values->id.empty()) return Proof{std::string(values->id)};
    return Proof{std::string(form_.timestamp_header.empty() ? std::string_view{} : signature)};
}

Result<SignedContent::Values> HmacSha256::signed_values(const InboundRequest& request, TimePoint now) const {
    SignedContent::Values values{{}, {}, request.body};
    if (!form_.timestamp_header.empty()) {
        const auto timestamp = only_header(request.headers, form_.timestamp_header);
        if (!timestamp) return timestamp.error();
        values.timestamp = **timestamp;
        if (auto in_time = fresh(form_.timestamp_header, values.timestamp, now, tolerance_); !in_time)
            return in_time.error();
    }
    const bool needs_id = content_.uses("id");
    if (!form_.id_header.empty() && (needs_id || count_header(request.headers, form_.id_header) != 0)) {
        const auto id = only_header(request.headers, form_.id_header);
        if (!id) return id.error();
        values.id = **id;
    }
    return values;
}

bool HmacSha256::fits(const std::string& given, std::string_view content) const {
    bool good = false;
    for (const auto& secret : secrets_)
        good |= equal_constant_time(given, signature_of(form_, secret, content)) && !secret.empty();
    return good;
}

}  // namespace orbridge

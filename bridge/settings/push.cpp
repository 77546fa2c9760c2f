#include "bridge/settings/sections.h"
#include "bridge/verify/hmac_sha256.h"
#include "bridge/verify/push_schemes.h"

namespace orbridge {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;

std::string scheme_names() {
    std::string names;
    for (const auto& scheme : push_schemes()) names += (names.empty() ? "" : ", ") + std::string(scheme.name);
    return names;
}

const PushScheme* read_scheme(const ConfigNode& node) {
    const auto verify = node["verify"];
    if (!verify.present()) {
        verify.complain("missing, whoever sends events must prove who they are; expected one of: " + scheme_names());
        return nullptr;
    }
    const auto name = verify.as_text();
    const auto* scheme = name ? find_push_scheme(*name) : nullptr;
    if (name && scheme == nullptr) verify.complain("expected one of: " + scheme_names());
    return scheme;
}

void refuse_keys(const ConfigNode& node, const PushScheme& scheme, std::initializer_list<const char*> keys) {
    for (const auto* key : keys)
        if (node[key].present()) node[key].complain("does not fit `verify: " + std::string(scheme.name) + "`");
}

bool is_header_name(std::string_view text) {
    constexpr std::string_view kSigns = "!#$%&'*+-.^_`|~";  // RFC 9110, token
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && kSigns.find(c) == std::string_view::npos) return false;
    }
    return !text.empty();
}

std::string read_header_name(const ConfigNode& node, const char* key, bool required) {
    auto name = required ? node.text(key) : node.text(key, "");
    if (!name.empty() && !is_header_name(name)) node[key].complain("not the name of a header");
    return name;
}

SignatureForm read_form(const ConfigNode& node) {
    SignatureForm form;
    if (!node.present()) {
        node.complain("missing, `verify: hmac` needs to know at least in which `header` the signature stands");
        return form;
    }
    form.header = read_header_name(node, "header", true);
    if (node.word("encoding", {"hex", "base64"}, "hex") == "base64") form.encoding = SignatureForm::Encoding::Base64;
    form.prefix = node.text("prefix", "");
    form.timestamp_header = read_header_name(node, "timestamp_header", false);
    form.id_header = read_header_name(node, "id_header", false);
    const auto content = node["content"];
    form.content = node.text("content", form.timestamp_header.empty() ? "{body}" : "{timestamp}.{body}");
    const auto parsed = SignedContent::parse(form.content);
    if (!parsed) content.complain(parsed.error().message);
    const bool timed = parsed && parsed->uses("timestamp");
    if (timed && form.timestamp_header.empty()) node["timestamp_header"].complain("missing beside {timestamp}");
    if (parsed && parsed->uses("id") && form.id_header.empty()) node["id_header"].complain("missing beside {id}");
    if (parsed && !timed && !form.timestamp_header.empty())
        content.complain("does not sign the {timestamp}, so that anybody could write another");
    node.done();
    return form;
}

void read_secrets(const ConfigNode& node, const PushScheme& scheme, SourceSettings& source) {
    using Secrets = PushScheme::Secrets;
    auto& proof = source.push.proof;
    const bool has_secret = node["secret"].present() || node["secret_file"].present();
    if (scheme.secrets == Secrets::None && has_secret) {
        node["verify"].complain("`none` does not go with a secret, which would not be looked at; expected one of them");
    }
    source.secrets = node.secrets("secret", scheme.secrets == Secrets::Required);
    proof.secrets = source.secrets;
    if (scheme.secrets != Secrets::OrPublicKeys) return refuse_keys(node, scheme, {"public_key"});
    proof.public_keys = node.texts("public_key", {});
    if (!has_secret && proof.public_keys.empty() && !node["public_key"].present())
        node["secret"].complain("missing, and so is `public_key`: whoever sends events must prove who they are");
}

void read_proof(const ConfigNode& node, const PushScheme& scheme, SourceSettings& source) {
    auto& proof = source.push.proof;
    proof.scheme = scheme.name;
    read_secrets(node, scheme, source);
    if (scheme.own_form) {
        proof.signature = read_form(node["signature"]);
    } else {
        refuse_keys(node, scheme, {"signature"});
    }
    if (scheme.timed) {
        proof.tolerance = node.duration("tolerance", proof.tolerance, 1s, 1h);
        if (scheme.own_form && proof.signature.timestamp_header.empty() && node["tolerance"].present())
            node["tolerance"].complain("means nothing without a `signature.timestamp_header`");
    } else {
        refuse_keys(node, scheme, {"tolerance"});
    }
    if (scheme.verify_token) {
        proof.verify_token = node.secret("verify_token", false);
    } else {
        refuse_keys(node, scheme, {"verify_token", "verify_token_file"});
    }
}

/// What is there, but of a wrong form. Of what is missing there was a complaint already.
void check_proof(const ConfigNode& node, const PushScheme& scheme, const PushProof& proof) {
    const bool nothing_known = proof.secrets.empty() && proof.public_keys.empty();
    if (scheme.secrets != PushScheme::Secrets::None && nothing_known) return;
    const auto& form = proof.signature;
    if (scheme.own_form && (form.header.empty() || !SignedContent::parse(form.content))) return;
    if (const auto verifier = verifier_for(proof); !verifier) node["verify"].complain(verifier.error().message);
}

std::string read_mapping(const ConfigNode& node, const PushScheme& scheme) {
    if (node["mapping"].present() || !scheme.mapping.empty()) return node.text("mapping", std::string(scheme.mapping));
    node["mapping"].complain("missing, expected a word from `sources:` of a mapping file, or `record`");
    return {};
}

}  // namespace

void read_push_source(const ConfigNode& node, SourceSettings& source) {
    source.mapping.clear();
    source.intakes_wanted = {"off"};
    source.node = node;
    source.paths = node.texts("paths", {});
    source.push.enabled = node.flag("enabled", true);
    source.snapshots = node.flag("snapshots", false);
    source.limit = read_rate(node["limit"], {6'000, 1min});
    if (const auto* scheme = read_scheme(node)) {
        read_proof(node, *scheme, source);
        check_proof(node, *scheme, source.push.proof);
        source.mapping = read_mapping(node, *scheme);
        source.unverified = scheme->secrets == PushScheme::Secrets::None;
        node.done();
    }
}

void check_replay_memory(const std::vector<SourceSettings>& sources, milliseconds kept) {
    for (const auto& source : sources) {
        if (source.type != "push" || !source.node || source.push.proof.tolerance * 2 <= kept) continue;
        (*source.node)["tolerance"].complain(
            "twice this is longer than `store.retention.finished`: a repeated request could be fresh when its first "
            "one "
            "is forgotten");
    }
}

}  // namespace orbridge

using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Channels.Bncr;

/// <summary>Errors of bncr methods: a code, a sentence for people, a <c>reason</c> for programs, and the text that old clients know.</summary>
internal static class Refusals
{
    public const string PlatformNotCovered = "platform-not-covered";

    public const string RouteRequired = "platform/groupId/userId required";

    public static BridgeException Invalid(string reason, string message, string? legacyText = null) =>
        Make(ErrorCodes.InvalidRequest, reason, message, legacyText);

    public static BridgeException Make(string code, string reason, string message, string? legacyText = null) =>
        new(code, message) { LegacyText = legacyText, Details = new JsonObject { ["reason"] = reason } };

    public static BridgeException Platform(string platform) => Make(
        ErrorCodes.Forbidden, PlatformNotCovered, $"your access token doesn't cover the platform '{platform}'; use one of its platforms or another token");

    public static BridgeException Contested(string accountId, string? byClientId, TimeSpan retryAfter) =>
        new(ErrorCodes.Busy,
            $"several clients take account '{accountId}' from each other{(byClientId is null ? "" : $" (now: {byClientId})")}; stop one of "
                + "them, or give each an accountId of its own")
        {
            Retryable = true,
            RetryAfter = retryAfter,
            Details = new JsonObject { ["reason"] = "account-contested" },
        };

    public static BridgeException Held(string accountId, TimeSpan? retryAfter) =>
        new(ErrorCodes.Forbidden, $"account '{accountId}' is held by a client with another access token; use that token, or another accountId")
        {
            Retryable = retryAfter is not null,
            RetryAfter = retryAfter,
            Details = new JsonObject { ["reason"] = "account-held" },
        };
}

using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Channels.Bncr.Routing;
using ChannelBridge.Channels.Bncr.Wire;

namespace ChannelBridge.Channels.Bncr.Methods;

/// <summary>A checked <c>bncr.inbound</c>.</summary>
internal readonly record struct CheckedInbound(
    BncrRoute Route, string ClientId, string Type, string Text, string? TaskKey, string? MsgId, Attachment? Attachment, bool IsCommand);

/// <summary>Checks the parameters of <c>bncr.inbound</c>; strict where the existing plugin took anything.</summary>
internal static class InboundValidator
{
    private const int MaxClientId = 128;
    private const int MaxMsgId = 256;
    private const int MaxType = 32;

    /// <summary>Checks everything but the session key.</summary>
    /// <param name="parameters">What the client sent.</param>
    /// <param name="clientId">The client id of its connection, for when it sent none.</param>
    /// <param name="options">The limits.</param>
    /// <param name="uploaded">The file that <c>path</c> names, or null.</param>
    /// <exception cref="BridgeException">What is wrong, with a reason and the old clients' text.</exception>
    public static CheckedInbound Check(InboundParams parameters, string? clientId, BncrOptions options, Attachment? uploaded = null)
    {
        var route = Route(parameters);
        clientId = Blank(parameters.ClientId) ?? clientId;
        if (clientId is null)
        {
            throw Refusals.Invalid(
                "missing-client-id", "clientId is required: it becomes the sender of the message; send it here or call bncr.connect with it first", "clientId required");
        }

        if (!Text.IsIdentifier(clientId, MaxClientId)) throw Identifier("clientId", MaxClientId);
        var msgId = Blank(parameters.MsgId);
        if (msgId is not null && !Text.IsIdentifier(msgId, MaxMsgId)) throw Identifier("msgId", MaxMsgId);
        var type = Blank(parameters.Type) ?? "text";
        if (!Text.IsIdentifier(type, MaxType)) throw Identifier("type", MaxType);
        if ((parameters.Msg?.Length ?? 0) > options.MaxTextLength)
        {
            throw Refusals.Make(
                ErrorCodes.PayloadTooLarge, "text-too-long", $"msg has {parameters.Msg!.Length} characters; at most {options.MaxTextLength} are taken");
        }

        var attachment = Media(parameters, options, uploaded);
        var (taskKey, text) = TaskPrefix.Split(parameters.Msg ?? "");
        if (text.Length == 0 && taskKey is not null && attachment is null) text = parameters.Msg!;
        if (string.IsNullOrWhiteSpace(text) && attachment is null)
        {
            throw Refusals.Invalid("empty-message", "the message is empty: send msg, or base64 with a file", "msg or base64 required");
        }

        var isCommand = Commands.IsCommand(ref text);
        return new CheckedInbound(route, clientId, type, text, taskKey, msgId, attachment, isCommand);
    }

    /// <summary>Checks a session key that the client sent against the route that it sent; returns its task, or null.</summary>
    /// <param name="sessionKey">What the client sent, or null.</param>
    /// <param name="route">The message's route.</param>
    /// <param name="agentId">The agent id of the account's session keys.</param>
    public static string? SessionKeyTask(string? sessionKey, BncrRoute route, string agentId)
    {
        if (Blank(sessionKey) is not { } text) return null;
        if (!Target.TryParse(text, out var target))
        {
            throw Refusals.Invalid(
                "invalid-session-key",
                "sessionKey is no bncr session key; leave it out, or send agent:<id>:bncr:direct:<hex of platform:groupId:userId>",
                "invalid sessionKey");
        }

        // Clients join the three parts as they are; where a group has colons that reads as another conversation.
        if (target.Route != route && target.Route.Plain != route.Plain)
        {
            throw Refusals.Invalid("session-key-mismatch", "sessionKey names another conversation than platform/groupId/userId; leave it out", "invalid sessionKey");
        }

        // Old clients always write `main`; no client may choose another agent than the account's.
        if (target.AgentId is { } agent && agent != agentId && agent != SessionKey.DefaultAgentId)
        {
            throw Refusals.Invalid("session-key-mismatch", "sessionKey names an agent that isn't the account's; leave it out", "invalid sessionKey");
        }

        return target.TaskKey;
    }

    /// <summary>The trimmed text, or null when nothing is left.</summary>
    public static string? Blank(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();

    /// <summary>Checks a client id outside of inbound messages.</summary>
    public static string? ClientId(string? clientId)
    {
        if (Blank(clientId) is not { } id) return null;
        return Text.IsIdentifier(id, MaxClientId) ? id : throw Identifier("clientId", MaxClientId);
    }

    private static BncrRoute Route(InboundParams parameters)
    {
        if (Blank(parameters.Platform) is null) throw Refusals.Invalid("missing-platform", "platform is required, e.g. \"qq\"", Refusals.RouteRequired);
        if (Blank(parameters.UserId) is null) throw Refusals.Invalid("missing-user", "userId is required, in groups too", Refusals.RouteRequired);
        if (BncrRoute.Create(parameters.Platform, parameters.GroupId, parameters.UserId, out var fault) is not { } route)
        {
            throw Refusals.Invalid(
                "invalid-route",
                fault is "platform"
                    ? $"platform must be at most {BncrRoute.MaxPlatformLength} characters without colons and control characters"
                    : $"{fault} must be at most {BncrRoute.MaxIdLength} characters without control characters",
                Refusals.RouteRequired);
        }

        if (route.IsNoise)
        {
            throw Refusals.Invalid("noise-route", "platform, groupId and userId are pieces of a session key, not a conversation", "invalid route");
        }

        return route;
    }

    private static Attachment? Media(InboundParams parameters, BncrOptions options, Attachment? uploaded)
    {
        if (Blank(parameters.Path) is not null)
        {
            if (parameters.Base64 is not null) throw Refusals.Invalid("path-and-base64", "send base64 or path, not both");
            return uploaded is null
                ? throw Refusals.Make(
                    ErrorCodes.Forbidden,
                    "path-refused",
                    "path is no file that this account has uploaded; send the path that bncr.file.complete answered, or the file as base64",
                    "path not allowed")
                : uploaded with { FileName = FileNames.Sanitize(parameters.FileName) ?? uploaded.FileName };
        }

        if (parameters.Base64 is not { } media) return null;
        if (!media.IsValid) throw Refusals.Invalid("invalid-base64", "base64 is not base64 (RFC 4648, with padding, without a data: prefix)", "invalid base64");
        if ((media.EncodedLength / 4 * 3) - 2 > options.MaxInlineMediaBytes || media.Bytes.Length > options.MaxInlineMediaBytes)
        {
            throw Refusals.Make(
                ErrorCodes.PayloadTooLarge, "media-too-large", $"base64 holds more than {options.MaxInlineMediaBytes} bytes, which is the limit for inline files");
        }

        if (media.Bytes.Length == 0) return null;
        var mimeType = Blank(parameters.MimeType) ?? "application/octet-stream";
        if (!Text.IsMimeType(mimeType)) throw Refusals.Invalid("invalid-mime-type", "mimeType must look like image/png");
        return new Attachment { MimeType = mimeType, FileName = FileNames.Sanitize(parameters.FileName), Content = media.Bytes };
    }

    private static BridgeException Identifier(string field, int length) =>
        Refusals.Invalid("invalid-" + field, $"{field} must be at most {length} characters without control characters");
}

using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Juji.Endpoint;

/// <summary>
/// Tells members something, by the outbox: on disk before it is said, and there for who comes later. What is said to the host's own agent becomes a message to it.
/// </summary>
internal sealed partial class Community(
    AgentBook agents, SubscriptionBook subscriptions, IOutbox outbox, IInbox inbox, JujiEndpointOptions options, ILogger<Community> logger) : IJujiCommunity
{
    /// <summary>The type of an outgoing message that is a push's JSON.</summary>
    public const string PushType = "juji/push";

    private const int MaxPush = 256 * 1024;
    // So many are told in one commit, or as many as have so many characters; and so many commits at once as make two groups of the store: one is told while the next is written.
    private const int Together = 32;
    private const int MostCharacters = 1024 * 1024;
    private const int AtOnce = 16;
    private static readonly TimeSpan Remembered = TimeSpan.FromDays(30);

    /// <summary>The host's own agent as a member; 0: it is none.</summary>
    public long OwnId { get; set; }

    /// <summary>A push as it is said: its JSON with a <c>push_id</c>, unless it has one. Each receiver of a broadcast has its own id, so nothing else is written anew.</summary>
    public static ReadOnlyMemory<byte> Identified(string push, Guid id)
    {
        const int IdLength = 32;
        var length = Encoding.UTF8.GetByteCount(push);
        var member = length > 2 ? ",\"push_id\":\""u8 : "\"push_id\":\""u8;
        var frame = new byte[length + member.Length + IdLength + 1];
        Encoding.UTF8.GetBytes(push, frame);
        if (HasId(frame.AsSpan(0, length))) return frame.AsMemory(0, length);
        // In the place of the closing brace, which comes behind it.
        var rest = frame.AsSpan(length - 1);
        member.CopyTo(rest);
        id.TryFormat(rest[member.Length..], out _, "N");
        "\"}"u8.CopyTo(rest[(member.Length + IdLength)..]);
        return frame;
    }

    /// <summary>A member's conversation.</summary>
    public static string SessionKeyOf(long agentId) => string.Create(CultureInfo.InvariantCulture, $"{JujiEndpointChannel.ChannelId}:{agentId}");

    /// <inheritdoc/>
    public async ValueTask BroadcastAsync(JsonObject push, string key, long? except = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(push);
        var topic = (string?)push["topic"];
        var text = TextOf(push);
        var all = await agents.ListReachableAsync(cancellationToken).ConfigureAwait(false);
        var unwanted = topic is null ? new HashSet<long>() : await subscriptions.UnwantedByAsync(topic, cancellationToken).ConfigureAwait(false);
        await Parallel.ForEachAsync(
            all.Where(id => id != except && !unwanted.Contains(id)).Chunk(Math.Clamp(MostCharacters / text.Length, 1, Together)),
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
            (ids, stop) => TellAsync(ids, text, key, stop)).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<long>> SendAsync(IReadOnlyCollection<long> agentIds, JsonObject push, string key, CancellationToken cancellationToken = default) =>
        SendAsync(agentIds, push, key, null, cancellationToken);

    /// <summary>The same, said by a member, which the host's own agent may answer.</summary>
    public async ValueTask<IReadOnlyList<long>> SendAsync(IReadOnlyCollection<long> agentIds, JsonObject push, string key, long? sender, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(agentIds);
        ArgumentNullException.ThrowIfNull(push);
        var text = TextOf(push);
        var found = new List<long>();
        foreach (var id in agentIds.Distinct())
        {
            if (id == OwnId && OwnId > 0)
            {
                if (sender is not { } from) continue;
                await AskAsync(from, (string?)(push["message"] as JsonValue) ?? text, key, cancellationToken).ConfigureAwait(false);
                found.Add(id);
            }
            else if (await agents.FindAsync(id, cancellationToken).ConfigureAwait(false) is { TokenHash: not null })
            {
                await SendOneAsync(id, text, key, cancellationToken).ConfigureAwait(false);
                found.Add(id);
            }
        }

        return found;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> ExistsAsync(long agentId, CancellationToken cancellationToken = default) =>
        await agents.FindAsync(agentId, cancellationToken).ConfigureAwait(false) is not null;

    // A broadcast doesn't fail for all because one has let too much gather.
    private async ValueTask TellAsync(long[] agentIds, string text, string key, CancellationToken cancellationToken)
    {
        var refused = await outbox.SendAllAsync([.. agentIds.Select(id => MessageTo(id, text))], $"push/{key}", cancellationToken).ConfigureAwait(false);
        foreach (var message in refused) LogNotTold(logger, message.AccountId, ErrorCodes.Busy);
    }

    private async ValueTask SendOneAsync(long agentId, string text, string key, CancellationToken cancellationToken)
    {
        var message = MessageTo(agentId, text);
        await outbox.SendAsync(message, $"push/{key}/{message.AccountId}", cancellationToken: cancellationToken).ConfigureAwait(false);
    }

    private static OutboundMessage MessageTo(long agentId, string text)
    {
        var id = agentId.ToString(CultureInfo.InvariantCulture);
        return new OutboundMessage
        {
            Channel = JujiEndpointChannel.ChannelId,
            AccountId = id,
            SessionKey = SessionKeyOf(agentId),
            Route = id,
            Text = text,
            Type = PushType,
        };
    }

    private async ValueTask AskAsync(long sender, string text, string key, CancellationToken cancellationToken)
    {
        var id = sender.ToString(CultureInfo.InvariantCulture);
        var message = new InboundMessage
        {
            Channel = JujiEndpointChannel.ChannelId,
            AccountId = id,
            SessionKey = SessionKeyOf(sender),
            Agent = options.Agent!,
            Route = id,
            SenderId = id,
            Subject = SessionKeyOf(sender),
            Door = Door.Channel,
            Text = text,
            Rules = new TurnRules { Commands = false, SenderIsAgent = true },
        };
        var hash = System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(
            System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes($"{JujiEndpointChannel.ChannelId}\n{id}\n{key}")));
        await inbox.AcceptAsync(message, hash, Remembered, cancellationToken: cancellationToken).ConfigureAwait(false);
    }

    private static bool HasId(ReadOnlySpan<byte> push)
    {
        var reader = new Utf8JsonReader(push);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("push_id"u8)) return true;
            reader.Skip();
        }

        return false;
    }

    private static string TextOf(JsonObject push)
    {
        var text = push.ToJsonString();
        return text.Length <= MaxPush ? text : throw new BridgeException(ErrorCodes.PayloadTooLarge, $"a push has at most {MaxPush} characters");
    }

    [LoggerMessage(LogEvents.CommunityNotTold, LogLevel.Warning, "Agent {AgentId} of the Juji community isn't told of a broadcast ({Code}): too much waits for it.")]
    private static partial void LogNotTold(ILogger logger, string agentId, string code);
}

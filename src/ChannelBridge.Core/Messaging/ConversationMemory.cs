using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Protocol.OpenResponses;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging;

/// <summary>One side's message in a kept conversation.</summary>
/// <param name="Role"><c>user</c> or <c>assistant</c>.</param>
/// <param name="Text">Its text; of files only their names.</param>
internal sealed record RememberedMessage(string Role, string Text);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(List<RememberedMessage>))]
internal sealed partial class ConversationJson : JsonSerializerContext
{
    // As the messages themselves are stored: an escaped non-Latin text is three times as long.
    public static ConversationJson Relaxed { get; } = new(
        new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.CamelCase, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}

/// <summary>
/// The conversation of a lane for an agent without a memory of its own: one bounded record. It grows in the same commit that says "turn done", so that a
/// turn which runs twice is remembered once, and one that never ended not at all.
/// </summary>
internal sealed partial class ConversationMemory(IStore store, LaneKey lane, IAgent agent, AgentMemory bounds, TimeProvider time, ILogger logger)
{
    private const string Namespace = "agent.conversation";

    private readonly string _key = KeyOf(lane, agent.Name);
    private List<RememberedMessage> _messages = [];

    /// <summary>Reads what was said so far.</summary>
    public async ValueTask<IReadOnlyList<MessageItem>> LoadAsync(CancellationToken cancellationToken)
    {
        if (await store.GetRecordAsync(Namespace, _key, cancellationToken).ConfigureAwait(false) is { } record)
        {
            try
            {
                _messages = JsonSerializer.Deserialize(record.Value.Span, ConversationJson.Relaxed.ListRememberedMessage) ?? [];
            }
            catch (JsonException fault)
            {
                // A conversation that can't be read any more must not stop the lane.
                LogDamaged(logger, agent.Name, fault);
            }
        }

        return [.. _messages.Select(message => new MessageItem(message.Role, [message.Role == "user" ? new InputTextPart(message.Text) : new OutputTextPart(message.Text)]))];
    }

    /// <summary>The write by which a finished turn is remembered, or null when there is nothing to remember.</summary>
    public RecordPut? Extend(InboundMessage question, IReadOnlyList<string> answers)
    {
        if (answers.Count == 0) return null;
        _messages.Add(new RememberedMessage("user", TextOf(question)));
        foreach (var answer in answers) _messages.Add(new RememberedMessage("assistant", answer));
        Trim();
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        return new RecordPut
        {
            Namespace = Namespace,
            Key = _key,
            Value = JsonSerializer.SerializeToUtf8Bytes(_messages, ConversationJson.Relaxed.ListRememberedMessage),
            ExpiresAt = now + (long)bounds.Lifetime.TotalMilliseconds,
            At = now,
        };
    }

    /// <summary>Drops the oldest until the rest fits, and then what would make the conversation begin with an answer.</summary>
    private void Trim()
    {
        var characters = _messages.Sum(message => (long)message.Text.Length);
        var drop = 0;
        while (drop < _messages.Count && (_messages.Count - drop > bounds.Messages || characters > bounds.Characters || _messages[drop].Role != "user"))
        {
            characters -= _messages[drop++].Text.Length;
        }

        _messages.RemoveRange(0, drop);
    }

    private static string TextOf(InboundMessage message)
    {
        if (message.Attachments is not { Count: > 0 } files) return message.Text;
        var names = string.Join('\n', files.Select(file => $"[file: {file.FileName ?? file.MimeType}]"));
        return message.Text.Length == 0 ? names : $"{message.Text}\n{names}";
    }

    private static string KeyOf(LaneKey lane, string agent) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{lane.Channel}\0{lane.Account}\0{lane.SessionKey}\0{agent.ToLowerInvariant()}")));

    [LoggerMessage(LogEvents.ConversationMemoryDamaged, LogLevel.Warning, "The kept conversation of a lane can't be read; the agent '{Agent}' starts a new one.")]
    private static partial void LogDamaged(ILogger logger, string agent, Exception fault);
}

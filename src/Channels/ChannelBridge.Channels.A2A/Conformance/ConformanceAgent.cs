using System.Runtime.CompilerServices;
using System.Text.Json;
using ChannelBridge.A2A;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Channels.A2A.Http;

namespace ChannelBridge.Channels.A2A.Conformance;

/// <summary>
/// The agent that the protocol's public conformance tests talk to: what it does stands in the message's id. Its messages are a task's status, its results the results.
/// </summary>
internal sealed class ConformanceAgent(TimeProvider time) : IAgent
{
    /// <summary>The name by which it is chosen; listed nowhere.</summary>
    public const string AgentName = "conformance";

    // An agent that ends without a word has failed, unless it says that it has none.
    private static readonly AgentReply Silence = new("NO_REPLY");

    private static readonly byte[] FileBytes = "tck"u8.ToArray();

    // Matched from the longest on.
    private static readonly (string Prefix, Func<IReadOnlyList<AgentEvent>> Script)[] Scripts =
    [.. new (string, Func<IReadOnlyList<AgentEvent>>)[]
    {
        ("tck-complete-task", () => [new AgentReply("Hello from TCK")]),
        ("tck-artifact-text", () => [Text("Generated text content")]),
        ("tck-artifact-file", () => [File()]),
        ("tck-artifact-file-url", () => [FileUrl()]),
        ("tck-artifact-data", () => [Data()]),
        ("tck-input-required", () => [new AgentReply("What else?"), new AgentFinish(FinishReason.InputRequired)]),
        ("tck-reject-task", () => [new AgentReply("Rejected"), new AgentFinish(FinishReason.Rejected)]),
        ("tck-stream-001", () => [AgentTyping.Instance, Text("Stream hello from TCK")]),
        ("tck-stream-002", () => [Silence]),
        ("tck-stream-003", () => [AgentTyping.Instance, Text("Stream task lifecycle")]),
        ("tck-stream-ordering-001", () => [AgentTyping.Instance, Text("Ordered output")]),
        ("tck-stream-artifact-text", () => [AgentTyping.Instance, Text("Streamed text content")]),
        ("tck-stream-artifact-file", () => [AgentTyping.Instance, File()]),
        ("tck-stream-artifact-chunked", () =>
        [
            AgentTyping.Instance,
            new AgentArtifact("chunked") { Text = "chunk-1 " },
            new AgentArtifact("chunked") { Text = "chunk-2", Append = true, LastChunk = true },
        ]),
    }.OrderByDescending(static script => script.Item1.Length)];

    public string Name => AgentName;

    public Task WaitUntilAvailableAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>The types of files that it takes, which are those of the card: the public tests send another one and want it refused.</summary>
    /// <exception cref="A2AException"><c>-32005</c>: a part is of another type.</exception>
    public static void CheckTypes(A2AMessage message)
    {
        if (message.Parts.FirstOrDefault(static part => part.MediaType is { } type && !CardTypes.Taken.Contains(type, StringComparer.OrdinalIgnoreCase)) is { } odd)
            throw new A2AException(A2AError.ContentTypeNotSupported, $"This agent takes {string.Join(", ", CardTypes.Taken)}, and no {odd.MediaType}.");
    }

    /// <summary>The messages that are answered without a task.</summary>
    public static A2AMessage? DirectAnswer(A2AMessage message) => message.MessageId.StartsWith("tck-message-response", StringComparison.Ordinal)
        ? new A2AMessage
        {
            MessageId = message.MessageId + "-answer",
            ContextId = message.ContextId,
            Role = MessageRole.Agent,
            Parts = [A2APart.OfText("Direct message response")],
        }
        : null;

    public async IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var id = turn.Message.MessageId ?? "";
        if (id.StartsWith("test-resubscribe-message-id", StringComparison.Ordinal))
        {
            yield return AgentTyping.Instance;
            await Task.Delay(TimeSpan.FromSeconds(4), time, cancellationToken).ConfigureAwait(false);
            yield return Silence;
            yield break;
        }

        var script = Array.Find(Scripts, script => id.StartsWith(script.Prefix, StringComparison.Ordinal)).Script;
        foreach (var agentEvent in script?.Invoke() ?? [new AgentReply(id)]) yield return agentEvent;
    }

    private static AgentArtifact Text(string text) => new("result") { Text = text, LastChunk = true };

    private static AgentArtifact Data() => new("result") { Json = JsonElement.Parse("""{"key":"value","count":42}"""), LastChunk = true };

    private static AgentArtifact File() => new("result")
    {
        File = new Attachment { MimeType = "text/plain", FileName = "output.txt", Content = FileBytes, Size = FileBytes.Length },
        LastChunk = true,
    };

    private static AgentArtifact FileUrl() => new("result")
    {
        File = new Attachment { MimeType = "text/plain", FileName = "output.txt", Location = "https://example.com/output.txt" },
        LastChunk = true,
    };
}

using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Agents.Http;
using ChannelBridge.Agents.Streams;

namespace ChannelBridge.Agents;

/// <summary>One turn at a provider: the request, its stream, the time-outs. Disposing it aborts whatever is under way.</summary>
internal sealed class ProviderRun(
    ProviderAgent agent, BinaryData body, IProviderReading reading, TimeSpan longest, CancellationToken cancellationToken) : IDisposable
{
    private static readonly JsonDocumentOptions Lenient = new() { AllowTrailingCommas = true, MaxDepth = 128 };

    private readonly TurnClock _clock = new(agent.Options, longest, agent.Time, cancellationToken);
    private ProviderAnswer? _answer;
    private SseReader? _reader;
    private Stream? _body;

    /// <summary>What the last step gave.</summary>
    public List<AgentEvent> Events { get; } = [];

    /// <summary>True when the answer came to its end.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>Why it failed, if it did.</summary>
    public BridgeException? Fault { get; private set; }

    /// <summary>Waits for the next events. False: there are no more.</summary>
    /// <exception cref="BridgeException">The turn failed.</exception>
    public async ValueTask<bool> NextAsync()
    {
        Events.Clear();
        if (Fault is not null) throw Fault;
        if (IsComplete) return false;
        try
        {
            _clock.Arm(reading.HasBegun);
            if (_answer is null) await OpenAsync().ConfigureAwait(false);
            while (!IsComplete && Events.Count == 0) await StepAsync().ConfigureAwait(false);
            return Events.Count > 0;
        }
        catch (BridgeException fault) when (Events.Count > 0)
        {
            // What was said before the failure goes first.
            Fail(fault, report: _answer is not null);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested && _clock.Expired != TurnPhase.None)
        {
            throw Fail(agent.Faults.TimedOut(_clock.Expired));
        }
        catch (Exception fault) when (fault is IOException or HttpRequestException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw Fail(agent.Faults.Broken("the connection to the provider broke off in the middle of the answer", fault));
        }
        catch (InvalidDataException fault)
        {
            throw Fail(agent.Faults.Broken("the provider's answer is packed in a way that can't be read", fault));
        }
        catch (JsonException fault)
        {
            throw Fail(agent.Faults.Broken("the provider's stream holds something that isn't JSON", fault));
        }
        catch (BridgeException fault)
        {
            throw Fail(fault, report: _answer is not null);
        }
        finally
        {
            _clock.Disarm();
        }
    }

    public void Dispose()
    {
        _answer?.Dispose();
        _reader?.Dispose();
        _clock.Dispose();
    }

    private async Task OpenAsync()
    {
        _answer = await agent.Caller.OpenAsync(body, _clock.Token).ConfigureAwait(false);
        // Types and codings may be wrong, or missing: the first bytes say what it is.
        (_body, var isJson) = await BodyForm.OpenAsync(_answer.Body, _answer.ContentEncoding, _clock.Token).ConfigureAwait(false);
        if (isJson) await ReadJsonAsync().ConfigureAwait(false);
        else _reader = new SseReader(_body, agent.Options.MaxEventBytes, agent.Options.MaxStreamBytes);
    }

    /// <summary>Servers that don't stream answer with the whole object; others with several, one to a line, or with <c>[DONE]</c>
    /// behind.</summary>
    private async Task ReadJsonAsync()
    {
        using var whole = new MemoryStream();
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = await _body!.ReadAsync(buffer, _clock.Token).ConfigureAwait(false)) > 0)
        {
            if (whole.Length + read > agent.Options.MaxEventBytes) throw agent.Faults.Broken($"the provider's answer has more than {agent.Options.MaxEventBytes} bytes");
            whole.Write(buffer, 0, read);
        }

        var rest = whole.GetBuffer().AsMemory(0, (int)whole.Length);
        if (rest.Span.StartsWith("\uFEFF"u8)) rest = rest[3..];
        var done = false;
        for (var first = true; !IsComplete; first = false)
        {
            var line = rest.Span.TrimStart(" \r\n\t"u8);
            if (line.StartsWith("data:"u8)) line = line["data:".Length..].TrimStart(" "u8);
            if (line.StartsWith("[DONE]"u8))
            {
                done = true;
                line = line["[DONE]".Length..].TrimStart(" \r\n\t"u8);
            }

            if (line.IsEmpty)
            {
                reading.End(done, Events);
                IsComplete = true;
                return;
            }

            rest = rest[^line.Length..];
            var (document, length) = Parse(rest.Span);
            using (document)
            {
                rest = rest[length..];
                var isAlone = rest.Span.Trim(" \r\n\t"u8) is { IsEmpty: true } or { Length: <= 12 };
                if (first && isAlone && document.RootElement.Text("object") is not "chat.completion.chunk")
                {
                    reading.ReadWhole(document.RootElement, Events);
                    IsComplete = true;
                }
                else
                {
                    IsComplete = reading.Read("", document.RootElement, Events);
                }
            }
        }
    }

    private static (JsonDocument Document, int Length) Parse(ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(
            text, new JsonReaderOptions { AllowTrailingCommas = true, MaxDepth = 128, AllowMultipleValues = true });
        return (JsonDocument.ParseValue(ref reader), (int)reader.BytesConsumed);
    }

    private async ValueTask StepAsync()
    {
        if (await _reader!.ReadAsync(_clock.Token).ConfigureAwait(false) is not { } sse)
        {
            reading.End(done: false, Events);
            IsComplete = true;
            return;
        }

        if (sse.Data.IsEmpty || sse.Data.Span.Trim((byte)' ').IsEmpty)
        {
            if (reading.HasBegun) _clock.Arm(begun: true);
            return;
        }

        if (sse.Data.Span.Trim((byte)' ').SequenceEqual("[DONE]"u8))
        {
            reading.End(done: true, Events);
            IsComplete = true;
            return;
        }

        if (sse.Type == "error" && sse.Data.Span.Trim((byte)' ')[0] is not ((byte)'{' or (byte)'[' or (byte)'"'))
            throw agent.Faults.Told(Encoding.UTF8.GetString(sse.Data.Span));
        using var document = JsonDocument.Parse(sse.Data, Lenient);
        IsComplete = reading.Read(sse.Type, document.RootElement, Events);
        if (reading.HasBegun) _clock.Arm(begun: true);
    }

    private BridgeException Fail(BridgeException fault, bool report = true)
    {
        Fault = fault;
        if (report) agent.Caller.Report(fault);
        return fault;
    }
}

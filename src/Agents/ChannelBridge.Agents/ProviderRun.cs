using System.Text.Json;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Agents.Http;
using ChannelBridge.Agents.Streams;

namespace ChannelBridge.Agents;

/// <summary>One turn at a provider: the request, its stream, the time-outs. Disposing it aborts whatever is under way.</summary>
internal sealed class ProviderRun(ProviderAgent agent, BinaryData body, IProviderReading reading, CancellationToken cancellationToken) : IDisposable
{
    private static readonly JsonDocumentOptions Lenient = new() { AllowTrailingCommas = true, MaxDepth = 128 };

    private readonly TurnClock _clock = new(agent.Options, agent.Time, cancellationToken);
    private ProviderAnswer? _answer;
    private SseReader? _reader;

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
        if (IsComplete) return false;
        try
        {
            _clock.Arm(reading.HasBegun);
            if (_answer is null) await OpenAsync().ConfigureAwait(false);
            while (!IsComplete && Events.Count == 0) await StepAsync().ConfigureAwait(false);
            return Events.Count > 0;
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
        _reader = new SseReader(_answer.Body, agent.Options.MaxEventBytes, agent.Options.MaxStreamBytes);
        // Servers that don't stream answer with the whole object.
        if (_answer.ContentType?.EndsWith("json", StringComparison.OrdinalIgnoreCase) != true) return;
        using var whole = new MemoryStream();
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = await _answer.Body.ReadAsync(buffer, _clock.Token).ConfigureAwait(false)) > 0)
        {
            if (whole.Length + read > agent.Options.MaxEventBytes) throw agent.Faults.Broken($"the provider's answer has more than {agent.Options.MaxEventBytes} bytes");
            whole.Write(buffer, 0, read);
        }

        using var document = JsonDocument.Parse(whole.GetBuffer().AsMemory(0, (int)whole.Length), Lenient);
        reading.ReadWhole(document.RootElement, Events);
        IsComplete = true;
    }

    private async ValueTask StepAsync()
    {
        if (await _reader!.ReadAsync(_clock.Token).ConfigureAwait(false) is not { } sse)
        {
            reading.End(Events);
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
            reading.End(Events);
            IsComplete = true;
            return;
        }

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

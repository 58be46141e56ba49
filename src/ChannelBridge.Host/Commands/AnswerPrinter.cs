using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Commands;

/// <summary>Prints the events of one response for <c>ask</c>, each once and in order, however often they come.</summary>
/// <param name="id">The response.</param>
/// <param name="stream">Print while it grows.</param>
/// <param name="json">Print JSON.</param>
/// <param name="output">The answer.</param>
/// <param name="errors">What isn't the answer.</param>
internal sealed class AnswerPrinter(string id, bool stream, bool json, TextWriter output, TextWriter errors)
{
    private bool _midLine;

    /// <summary>The response.</summary>
    public string Id => id;

    /// <summary>The last sequence number that was printed; -1 at first.</summary>
    public long Last { get; private set; } = -1;

    /// <summary>Takes an event; gives the command's exit code when it was the last one.</summary>
    public int? Take(ReadOnlyMemory<byte> payload)
    {
        var one = JsonNode.Parse(payload.Span)!;
        if ((string?)one["response_id"] != id || (long)one["sequence_number"]! != Last + 1) return null;
        Last++;
        var type = (string)one["type"]!;
        var ended = type is "response.completed" or "response.incomplete" or "response.failed";
        if (json && stream) output.WriteLine(Encoding.UTF8.GetString(payload.Span));
        else if (json && ended) output.WriteLine(one["response"]!.ToJsonString());
        else if (!json) Print(type, one);
        if (!ended) return null;
        if (!json) TellEnd(one["response"]!);
        return type == "response.failed" ? CodeOf((string?)one["response"]?["error"]?["code"]) : ExitCodes.Ok;
    }

    /// <summary>A fault of the host is told apart from one of the agent, and both from a cancelled answer.</summary>
    private static int CodeOf(string? code) => code switch
    {
        "server_error" => ExitCodes.Fault,
        "cancelled" => ExitCodes.Interrupted,
        "interrupted" => ExitCodes.Unreachable,
        "timeout" => ExitCodes.TimedOut,
        "too_many_requests" => ExitCodes.Refused,
        _ => ExitCodes.Agent,
    };

    private void Print(string type, JsonNode one)
    {
        switch (type)
        {
            case "response.queued":
                errors.WriteLine("waiting for a free slot");
                break;
            case "response.output_text.delta" or "response.refusal.delta" when stream:
                Write((string)one["delta"]!);
                output.Flush();
                break;
            case "response.output_text.done" when !stream:
                Write((string)one["text"]!);
                break;
            case "response.refusal.done" when !stream:
                Write((string)one["refusal"]!);
                break;
            case "response.output_item.done":
                EndLine();
                if ((string?)one["item"]!["type"] == "function_call") output.WriteLine(
                    $"{PlainText.Line((string?)one["item"]!["name"] ?? "")}({PlainText.Clean((string)one["item"]!["arguments"]!)})");
                break;
        }
    }

    private void Write(string text)
    {
        text = PlainText.Clean(text);
        if (text.Length == 0) return;
        output.Write(text);
        _midLine = text[^1] != '\n';
    }

    private void EndLine()
    {
        if (_midLine) output.WriteLine();
        _midLine = false;
    }

    private void TellEnd(JsonNode response)
    {
        EndLine();
        if (response["error"] is { } error) errors.WriteLine(PlainText.Line($"error: {error["message"]} ({error["code"]})"));
        if (response["incomplete_details"] is { } details) errors.WriteLine(
            PlainText.Line($"the answer is incomplete: {details["reason"]}"));
        errors.WriteLine($"response: {id}");
    }
}

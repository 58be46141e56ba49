using System.Buffers;
using System.Text;
using System.Text.Json;
using ChannelBridge.A2A;

namespace ChannelBridge.Tests.Unit.A2A;

public sealed class ErrorTests
{
    public static TheoryData<int> Codes => [.. A2AError.All.Select(static error => error.Code)];

    [Theory]
    [MemberData(nameof(Codes))]
    public void EveryError_InEveryShape_IsReadAsWhatItWas(int code)
    {
        var error = A2AError.Of(code)!;
        var fault = new A2AException(error, "words") { Code = "BUSY", Retryable = true, RetryAfter = TimeSpan.FromSeconds(2) };
        foreach (var version in new[] { Versions.V03, Versions.V10 })
        {
            foreach (var body in new[]
            {
                Written(writer => ErrorBodies.WriteRest(writer, fault, version, error.HttpStatus)),
                Written(writer => ErrorBodies.WriteJsonRpc(writer, fault, version)),
            })
            {
                var read = ErrorBodies.Read(body, null)!;
                Assert.Equal((error, "words"), (read.Error, read.Message));
                Assert.Equal(("BUSY", true, TimeSpan.FromSeconds(2)), (read.Code, read.Retryable, read.RetryAfter));
            }
        }
    }

    [Fact]
    public void AnErrorOf10_NamesItsReason()
    {
        var fault = new A2AException(A2AError.TaskNotFound);
        Assert.Equal(
            """{"code":-32001,"message":"There is no such task.","data":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"TASK_NOT_FOUND","domain":"a2a-protocol.org"}]}""",
            Written(writer => ErrorBodies.WriteJsonRpc(writer, fault, Versions.V10)).GetRawText());
        Assert.Equal(
            """{"error":{"code":404,"status":"NOT_FOUND","message":"There is no such task.","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"TASK_NOT_FOUND","domain":"a2a-protocol.org"}]}}""",
            Written(writer => ErrorBodies.WriteRest(writer, fault, Versions.V10, 404)).GetRawText());
    }

    [Fact]
    public void AFaultOfTheStore_HasItsCodeInData()
    {
        var fault = new A2AException(A2AError.Internal, "full") { Code = "STORE_FULL", Retryable = true };
        Assert.Equal(
            """{"code":-32603,"message":"full","data":{"code":"STORE_FULL","retryable":true}}""",
            Written(writer => ErrorBodies.WriteJsonRpc(writer, fault, Versions.V10)).GetRawText());
        Assert.Equal(503, ErrorBodies.RestStatus(fault));
    }

    private static JsonElement Written(Action<Utf8JsonWriter> write)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(output)) write(writer);
        return Records.Json(Encoding.UTF8.GetString(output.WrittenSpan));
    }
}

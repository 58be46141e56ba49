using System.ClientModel;
using ChannelBridge.Tests.Integration;
using OpenAI.Responses;

namespace ChannelBridge.Tests.Interop;

// The client marks its responses API as one that may change; it is pinned.
#pragma warning disable OPENAI001

/// <summary>OpenAI's .NET package as a client of the host, unchanged.</summary>
public sealed class OpenAIClientTests : IAsyncLifetime
{
    private HostProcess _host = null!;
    private ResponsesClient _client = null!;

    public async Task InitializeAsync()
    {
        _host = await HostProcess.StartAsync();
        _client = new ResponsesClient(new ApiKeyCredential(_host.Token), new ResponsesClientOptions { Endpoint = new Uri(_host.Url, "/v1") });
    }

    public async Task DisposeAsync() => await _host.DisposeAsync();

    [Fact]
    public async Task Create_GivesTheText()
    {
        ResponseResult response = await _client.CreateResponseAsync("echo", "Hello");
        Assert.Equal("echo: Hello", response.GetOutputText());
        Assert.Equal(ResponseStatus.Completed, response.Status);
        ResponseResult again = await _client.GetResponseAsync(response.Id);
        Assert.Equal("echo: Hello", again.GetOutputText());
    }

    [Fact]
    public async Task Stream_GivesTypedUpdates()
    {
        var text = "";
        var ended = false;
        await using var updates = await _client.CreateResponseStreamingAsync("echo", "Grüße 👩‍👩‍👧");
        await foreach (var update in updates)
        {
            if (update is StreamingResponseOutputTextDeltaUpdate delta) text += delta.Delta;
            ended = update is StreamingResponseCompletedUpdate;
        }

        Assert.Equal("echo: Grüße 👩‍👩‍👧", text);
        Assert.True(ended);
    }

    [Fact]
    public async Task Continuation_AndTools()
    {
        var options = new CreateResponseOptions { Model = "echo" };
        options.InputItems.Add(ResponseItem.CreateUserMessageItem("What is the weather?"));
        options.Tools.Add(
            ResponseTool.CreateFunctionTool("get_weather",
                BinaryData.FromString("""{"type":"object","properties":{"place":{"type":"string"}},"required":["place"]}"""), true));
        ResponseResult first = await _client.CreateResponseAsync(options);
        var call = Assert.IsType<FunctionCallResponseItem>(Assert.Single(first.OutputItems));
        Assert.Equal("get_weather", call.FunctionName);

        var next = new CreateResponseOptions { Model = "echo", PreviousResponseId = first.Id };
        next.InputItems.Add(ResponseItem.CreateFunctionCallOutputItem(call.CallId, "sunny"));
        ResponseResult second = await _client.CreateResponseAsync(next);
        Assert.Equal("echo: sunny", second.GetOutputText());
    }

    [Fact]
    public async Task Errors_HaveTheirStatus()
    {
        var fault = await Assert.ThrowsAsync<ClientResultException>(() => _client.GetResponseAsync("resp_unknown"));
        Assert.Equal(404, fault.Status);
    }
}

using ChannelBridge.A2A;
using ChannelBridge.A2A.Client;
using ChannelBridge.Tests.Integration;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>The client against servers of the JavaScript SDK, as it is on npm: both versions, both transports.</summary>
public sealed class A2AClientTests
{
    [A2ATheory]
    [InlineData("0.3", Bindings.JsonRpc)]
    [InlineData("0.3", Bindings.Rest)]
    [InlineData("1.0", Bindings.JsonRpc)]
    [InlineData("1.0", Bindings.Rest)]
    public async Task EveryOperation_OfTheSdksServer_Works(string version, string binding)
    {
        await using var server = await A2ASdk.StartAsync(version);
        using var client = new A2AClient(new A2AClientOptions { Address = server.Url, Binding = binding });
        Assert.Equal("peer", (await client.GetCardAsync()).Name);
        var place = await client.GetInterfaceAsync();
        Assert.Equal((version, binding), (place.ProtocolVersion, place.ProtocolBinding));

        // Sent and waited for.
        var echo = (await client.SendAsync(Text("echo ⚙ 会话"))).Task!;
        Assert.Equal(TaskState.Completed, echo.Status.State);
        Assert.Equal("echo ⚙ 会话", echo.Artifacts!.Single().Parts.Single().Text);
        Assert.Equal("directly", (await client.SendAsync(Text("message"))).Message!.Parts.Single().Text);
        Assert.Equal(TaskState.Failed, (await client.RunAsync(Text("fail"))).Task!.Status.State);

        // Read again.
        var again = await client.GetTaskAsync(new GetTaskRequest { Id = echo.Id, HistoryLength = 1 });
        Assert.Equal((echo.Id, echo.ContextId, TaskState.Completed), (again.Id, again.ContextId, again.Status.State));

        // Streamed.
        var events = new List<StreamItem>();
        var run = (await client.RunAsync(Text("chunks"), events.Add)).Task!;
        Assert.NotNull(events[0].Task);
        Assert.Equal("one two three", string.Concat(run.Artifacts!.Single().Parts.Select(static part => part.Text)));
        Assert.Equal(TaskState.Completed, events[^1].StatusUpdate!.Status.State);

        // Asked back, and answered.
        var asked = (await client.RunAsync(Text("ask"))).Task!;
        Assert.Equal(TaskState.InputRequired, asked.Status.State);
        var answered = (await client.SendAsync(Text("echo more", asked))).Task!;
        Assert.Equal((asked.Id, TaskState.Completed), (answered.Id, answered.Status.State));

        // Errors have their own kinds.
        var unknown = await Assert.ThrowsAsync<A2AException>(() => client.GetTaskAsync(new GetTaskRequest { Id = "nobody" }));
        Assert.Equal(A2AError.TaskNotFound, unknown.Error);
        var ended = await Assert.ThrowsAsync<A2AException>(() => client.CancelTaskAsync(new CancelTaskRequest { Id = echo.Id }));
        Assert.Equal(A2AError.TaskNotCancelable, ended.Error);
        await WaitAndCancelAsync(client);
        await PushConfigsAsync(client, asked.Id);
        if (version == "1.0")
        {
            var page = await client.ListTasksAsync(new ListTasksRequest { PageSize = 2, Status = TaskState.Completed });
            Assert.Equal(2, page.Tasks.Count);
            Assert.NotEmpty(page.NextPageToken);
        }
        else
        {
            var none = await Assert.ThrowsAsync<A2AException>(() => client.ListTasksAsync(new ListTasksRequest()));
            Assert.Equal(A2AError.UnsupportedOperation, none.Error);
        }
    }

    [A2ATheory]
    [InlineData("0.3")]
    [InlineData("1.0")]
    public async Task TheCommands_SpeakToTheSdksServer(string version)
    {
        await using var server = await A2ASdk.StartAsync(version);
        var url = server.Url.AbsoluteUri;
        Assert.Contains("streams", (await CommandAsync("card", url)).Output, StringComparison.Ordinal);
        Assert.Equal("one two three", (await CommandAsync("send", url, "--stream", "chunks")).Output.Trim());
        Assert.Equal(8, (await CommandAsync("send", url, "fail")).ExitCode);
        var open = await CommandAsync("send", url, "--no-wait", "--json", "wait");
        var id = A2ADialect.V10.SendResult.Read(System.Text.Encoding.UTF8.GetBytes(open.Output)).Task!.Id;
        Assert.Contains("canceled", (await CommandAsync("cancel", url, id)).Output, StringComparison.Ordinal);
        Assert.Contains("canceled", (await CommandAsync("get", url, id)).Output, StringComparison.Ordinal);
        var list = await CommandAsync("list", url, "--status", "canceled");
        Assert.Equal(version == "1.0" ? 0 : 8, list.ExitCode);
        if (version == "1.0") Assert.Contains(id, list.Output, StringComparison.Ordinal);
    }

    /// <summary>Answered at once, heard of by a second stream, cancelled: both streams end with it.</summary>
    private static async Task WaitAndCancelAsync(A2AClient client)
    {
        var request = Text("wait") with { Configuration = new SendConfiguration { ReturnImmediately = true } };
        var task = (await client.SendAsync(request)).Task!;
        Assert.False(TaskStates.EndsStream(task.Status.State));
        TaskState? last = null;
        var heard = new TaskCompletionSource();
        var listening = Task.Run(async () =>
        {
            await foreach (var item in client.SubscribeAsync(new SubscribeRequest { Id = task.Id }))
            {
                heard.TrySetResult();
                last = item.StatusUpdate?.Status.State ?? last;
            }
        });
        await heard.Task;
        Assert.Equal(TaskState.Canceled, (await client.CancelTaskAsync(new CancelTaskRequest { Id = task.Id })).Status.State);
        await listening;
        Assert.Equal(TaskState.Canceled, last);
    }

    private static async Task<(int ExitCode, string Output)> CommandAsync(params string[] arguments)
    {
        var result = await HostProcess.RunAsync(["a2a", .. arguments]);
        return (result.ExitCode, result.Output);
    }

    private static async Task PushConfigsAsync(A2AClient client, string task)
    {
        var set = await client.SetPushConfigAsync(
            new PushConfig { Id = "p1", TaskId = task, Url = "https://example.com/push", Token = "t" });
        Assert.Equal("https://example.com/push", set.Url);
        var got = await client.GetPushConfigAsync(new PushConfigRequest { TaskId = task, Id = "p1" });
        Assert.Equal(("p1", task), (got.Id, got.TaskId));
        Assert.Equal("p1", Assert.Single((await client.ListPushConfigsAsync(new ListPushConfigsRequest { TaskId = task })).Configs).Id);
        await client.DeletePushConfigAsync(new PushConfigRequest { TaskId = task, Id = "p1" });
        Assert.Empty((await client.ListPushConfigsAsync(new ListPushConfigsRequest { TaskId = task })).Configs);
    }

    private static SendRequest Text(string text, A2ATask? task = null) => new()
    {
        Message = new A2AMessage
        {
            MessageId = Guid.NewGuid().ToString("N"),
            Role = MessageRole.User,
            TaskId = task?.Id,
            ContextId = task?.ContextId,
            Parts = [A2APart.OfText(text)],
        },
    };
}

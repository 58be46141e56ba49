using ChannelBridge.A2A;

namespace ChannelBridge.Tests.Unit.A2A.Channel;

/// <summary>
/// What isn't a peer's is answered as what never was, and takes the same way: the same reads of the store in the same order, and no writes. So no clock tells them apart.
/// </summary>
public sealed class NothingToldTests
{
    private const string Other = "mallory";

    public static TheoryData<string> Calls => new(Doings.Keys);

    private static Dictionary<string, Func<ServiceLab, string, Task>> Doings { get; } = new()
    {
        ["get"] = static (lab, id) => lab.Service.GetAsync(Other, new GetTaskRequest { Id = id }, default),
        ["cancel"] = static (lab, id) => lab.Service.CancelAsync(Other, new CancelTaskRequest { Id = id }, default),
        ["subscribe"] = static (lab, id) => lab.Service.SubscribeAsync(Other, new SubscribeRequest { Id = id }, default),
        ["send"] = static (lab, id) => lab.Service.SendAsync(Other, ServiceLab.Message("m", id), default),
        ["stream"] = static (lab, id) => lab.Service.StreamAsync(Other, ServiceLab.Message("m", id), default),
        ["send with a push configuration"] = static (lab, id) => lab.Service.SendAsync(Other, ServiceLab.Message("m", id, Push), default),
        ["set push"] = static (lab, id) => lab.Service.SetPushAsync(Other, Push with { TaskId = id }, default),
        ["get push"] = static (lab, id) => lab.Service.GetPushAsync(Other, new PushConfigRequest { TaskId = id, Id = "p" }, default),
        ["get first push"] = static (lab, id) => lab.Service.GetPushAsync(Other, new PushConfigRequest { TaskId = id, Id = "" }, default),
        ["list push"] = static (lab, id) => lab.Service.ListPushAsync(Other, new ListPushConfigsRequest { TaskId = id }, default),
        ["delete push"] = static (lab, id) => lab.Service.DeletePushAsync(Other, new PushConfigRequest { TaskId = id, Id = "p" }, default),
    };

    private static PushConfig Push => new() { Id = "p", Url = "https://example.com/p" };

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task AnothersTask_AndNobodys_TakeTheSameWay(string call)
    {
        foreach (var ends in new Func<ServiceLab, Task>[]
        {
            static _ => Task.CompletedTask,
            static lab => lab.EndAsync(replies: new string('x', 20_000)),
            static lab => lab.EndAsync(Abstractions.Agents.FinishReason.InputRequired, "What else?"),
        })
        {
            var lab = new ServiceLab();
            var id = (await lab.SendAsync("m", push: Push)).Id;
            await ends(lab);
            var others = await TraceAsync(lab, () => Doings[call](lab, id));
            // It isn't in memory either, where it would be found without the store: the peer itself looks at it meanwhile.
            using var watching = await lab.Lives.HoldAsync(ServiceLab.Peer, id, CancellationToken.None);
            var watched = await TraceAsync(lab, () => Doings[call](lab, id));
            var nobodys = await TraceAsync(lab, () => Doings[call](lab, Guid.NewGuid().ToString()));

            Assert.Equal(nobodys, others);
            Assert.Equal(nobodys, watched);
        }
    }

    [Fact]
    public async Task AnothersConversationAndPage_AndMadeUpOnes_TakeTheSameWay()
    {
        var lab = new ServiceLab();
        var context = (await lab.SendAsync("m-1")).ContextId;
        await lab.SendAsync("m-2");
        var page = await lab.Service.ListAsync(ServiceLab.Peer, new ListTasksRequest { PageSize = 1 }, default);
        var madeUp = "ctx-" + new string('a', context.Length - 4);
        Assert.NotEmpty(page.NextPageToken);

        foreach (var ask in new Func<string, Task>[]
        {
            named => lab.Service.SendAsync(Other, InContext(named), default),
            named => lab.Service.StreamAsync(Other, InContext(named), default),
            named => lab.Service.ListAsync(Other, new ListTasksRequest { ContextId = named }, default),
        })
        {
            Assert.Equal(await TraceAsync(lab, () => ask(madeUp)), await TraceAsync(lab, () => ask(context)));
        }

        var token = page.NextPageToken.ToCharArray();
        token[0] = token[0] == 'A' ? 'B' : 'A';
        Assert.Equal(
            await TraceAsync(lab, () => lab.Service.ListAsync(Other, new ListTasksRequest { PageSize = 1, PageToken = new string(token) }, default)),
            await TraceAsync(lab, () => lab.Service.ListAsync(Other, new ListTasksRequest { PageSize = 1, PageToken = page.NextPageToken }, default)));
    }

    private static SendRequest InContext(string context)
    {
        var request = ServiceLab.Message("m");
        return request with { Message = request.Message with { ContextId = context } };
    }

    /// <summary>What the store was asked, and what the peer was told.</summary>
    private static async Task<List<string>> TraceAsync(ServiceLab lab, Func<Task> ask)
    {
        lab.Records.Reads.Clear();
        var (written, accepted) = (0, lab.Accepted.Count);
        lab.Records.BeforeWrite = writes => written += writes.Count;
        var fault = await Assert.ThrowsAsync<A2AException>(ask);
        lab.Records.BeforeWrite = null;
        Assert.Equal(A2AError.TaskNotFound, fault.Error);
        Assert.Equal((0, accepted), (written, lab.Accepted.Count));
        return [.. lab.Records.Reads, $"{fault.Error} {fault.Code} {fault.HttpStatus} {fault.Message}"];
    }
}
